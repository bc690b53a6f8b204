"""BUILD where it does not belong: classes, functions, modules and metaclasses given new state."""

from __future__ import annotations

from river import compose

from tests.hostile.assembly import (
    build,
    call,
    first,
    instance,
    named,
    partial,
    pipeline,
    regressor,
    slots,
    writing,
)
from tests.hostile.attack import Attack, Family

_class = Family(technique="build on a class", harm="world")
_function = Family(technique="build on a function", harm="world")
_module = Family(technique="build on a module", harm="world")
_slot = Family(technique="slot state of an instance")

_LINEAR = named("river.linear_model", "LinearRegression")
_SQUARED = named("river.optim.losses", "Squared")

CLASSES: tuple[Attack, ...] = (
    _class("predict_one_for_all", "every tenant's models answer what this one wants",
           lambda c: first(slots(_LINEAR, predict_one=named("builtins", "len")), regressor())),
    _class("predict_one_of_the_base", "every estimator at once", lambda c: first(slots(
        named("river.base", "Regressor"), predict_one=named("builtins", "len")), regressor())),
    _class("a_property_of_a_class", "one gradient for all", lambda c: slots(
        _SQUARED, gradient=call("builtins", "staticmethod", named("builtins", "max")))),
    _class("name_of_a_class", "downloads that name another class", lambda c: slots(
        _LINEAR, __module__="river.stream")),
    _class("deepcopy_of_a_class", "each copy of each model calls", lambda c: slots(
        _LINEAR, __deepcopy__=call("builtins", "staticmethod", partial(
            named("builtins", "exec"), writing(c))))),
    _class("build_on_a_python_class", "a class of the standard library", lambda c: slots(
        named("collections", "Counter"), update=named("time", "time"))),
    _class("build_on_the_unpickler", "the loader itself", lambda c: slots(
        named("dill._dill", "Unpickler"), find_class=named("builtins", "print"))),
    _class("build_on_our_own_class", "a class that Thalweg ships", lambda c: slots(
        named("thalweg.m5.features", "RollingMeans"), learn_one=named("builtins", "print"))),
    _class("class_of_an_instance", "a class reached through an object's __class__",
           lambda c: slots(call("builtins", "getattr", regressor(), "__class__"),
                           learn_one=named("builtins", "print"))),
    _class("class_by_its_subclass", "a base reached through the class that inherits it",
           lambda c: slots(named("river.linear_model", "LinearRegression.__base__"),
                           _fit=named("builtins", "print"))),
)  # fmt: skip

_SIGMOID = named("river.utils.math", "sigmoid")

FUNCTIONS: tuple[Attack, ...] = (
    _function("code_of_a_function", "another body for everyone", lambda c: slots(
        _SIGMOID, __code__=named("river.utils.math", "sign.__code__"))),
    _function("defaults_of_a_function", "other defaults for everyone", lambda c: slots(
        named("river.linear_model.lin_reg", "LinearRegression.__init__"), __defaults__=(None,))),
    _function("keyword_defaults", "other keyword defaults for everyone", lambda c: slots(
        named("river.linear_model.lin_reg", "LinearRegression.__init__"),
        __kwdefaults__={"l2": 1e9})),
    _function("attributes_of_a_function", "state in a function's dict", lambda c: build(
        _SIGMOID, {"__wrapped__": named("os", "system")})),
    _function("code_of_our_own_function", "a function that Thalweg ships", lambda c: slots(
        named("thalweg.features", "weekday"),
        __code__=named("thalweg.features", "month.__code__"))),
    _function("function_behind_a_method", "a function reached through a bound method",
              lambda c: slots(
        call("builtins", "getattr", call("builtins", "getattr", regressor(), "learn_one"),
             "__func__"), __defaults__=(0.0,))),
)  # fmt: skip

MODULES: tuple[Attack, ...] = (
    _module("attribute_of_a_module", "another class under a known name", lambda c: build(
        call("importlib", "import_module", "river.optim"), {"SGD": named("builtins", "dict")})),
    _module("module_by_reexport", "a module is an attribute of its package", lambda c: build(
        named("river", "stats"), {"Mean": named("builtins", "dict")})),
    _module("module_getattr", "names that do not exist are calls from now on", lambda c: build(
        named("river", "stats"), {"__getattr__": named("os", "system")})),
    _module("module_class", "a module of another class", lambda c: slots(
        named("river", "stats"), Mean=named("builtins", "dict"))),
    _module("builtins_for_all", "a builtin of every function in the process", lambda c: build(
        named("dill._dill", "__builtin__"), {"license": named("os", "system")})),
    _module("settings_of_dill", "how the next upload is read", lambda c: build(
        named("dill", "_dill"), {"_reverse_typemap": {}})),
    _module("no_standard_output", "the process cannot log", lambda c: build(
        named("river.base.base", "sys"), {"stdout": None})),
    _module("main_module", "dill's `__main__` is the server's own", lambda c: build(
        named("dill._dill", "_main_module"), {"poison": 1})),
)  # fmt: skip


_CALLABLE = slots(regressor(), __class__=named("_sitebuiltins", "Quitter"))

SLOTS: tuple[Attack, ...] = (
    _slot("class_of_an_instance_switched", "a statistic becomes an object that ends the process",
          lambda c: pipeline(instance(compose.FuncTransformer(dict), func=_CALLABLE), regressor()),
          fires="predict", harm="escape"),
    _slot("dict_of_an_instance_shared", "what the model learns is written into a module",
          lambda c: build(
              slots(regressor(), __dict__=named("river.linear_model.lin_reg", "__dict__")),
              {"optim": None}), harm="world"),
    _slot("slots_of_a_model", "setattr runs properties and shadows methods alike",
          lambda c: slots(regressor(), predict_one=partial(named("builtins", "exec"), writing(c))),
          fires="predict"),
)  # fmt: skip

ATTACKS = (*CLASSES, *FUNCTIONS, *MODULES, *SLOTS)
