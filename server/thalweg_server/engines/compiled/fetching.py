"""Has a kernel fetch the next row while it is at work on one.

Most of a row's time would be waiting for its memory. Each step asks for a share of the next row:
all at once would be more than a processor can have under way.
"""

from __future__ import annotations

from collections.abc import Sequence

WORDS_MAX = 2_048
"""Of a longer row only so much is fetched: half of a processor's nearest cache."""

FETCH = '''
@intrinsic
def fetch_line(typing, floats, word):
    """Asks for the line of memory that a word is in; there need not be one."""
    def code(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        place = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        builder.call(prefetch, [place, number(0), number(3), number(1)])
        return context.get_dummy_value()
    return types.void(floats, types.int64), code


@njit(nogil=True, error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def fetch(floats, ahead, words):
    """Returns what comes behind the words that it asked for."""
    for word in range(ahead, ahead + words, 8):
        fetch_line(floats, word)
    return ahead + words

'''


def share(predict: Sequence[str], learn: Sequence[str]) -> str:
    """The line that says how many words one call of a step is to fetch."""
    calls = f"{_calls(predict)} * predict + {_calls(learn)} * learn"
    return f"share = (min(floats.shape[1], {WORDS_MAX}) // ({calls}) + 8) & ~7"


def fetching(lines: Sequence[str]) -> list[str]:
    """Lines, with one that fetches before each call of a step."""
    fetch = "ahead = fetch(floats, ahead, share)"
    return [each for line in lines for each in ([fetch, line] if _is_call(line) else [line])]


def _calls(lines: Sequence[str]) -> int:
    return sum(map(_is_call, lines))


def _is_call(line: str) -> bool:
    return "(" in line and not line.startswith((" ", "if ", "for "))
