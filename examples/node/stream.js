// Bulk learning: batches in order, each learned exactly once, also over connections that break.

import { setTimeout as sleep } from 'node:timers/promises';

import grpc from '@grpc/grpc-js';

const TRIES_MAX = 10;
const PAUSE_MS_MAX = 5_000;

/**
 * Streams batches and returns when the server has them all.
 *
 * After a break it goes on behind the last batch that the server applied; the server knows it by
 * the stream's id. So an id stands for ONE sequence of batches: other data needs another id.
 * @param forecaster what `connect` returns.
 * @param {string} streamId names this sequence of batches.
 * @param {object[]} batches LearnColumns; batch n is the same rows each time.
 * @param {(ack: object) => void} onAck is called for each batch that was acknowledged.
 */
export async function streamLearn(forecaster, streamId, batches, onAck) {
  let tries = 0;
  const progress = (ack) => {
    tries = 0;
    onAck(ack);
  };
  for (;;) {
    try {
      return await runOnce(forecaster, streamId, batches, progress);
    } catch (error) {
      // UNAVAILABLE is a broken connection, or a server that shuts down. Anything else, such as
      // a newer stream of the same id, would be no better the next time.
      if (error.code !== grpc.status.UNAVAILABLE || ++tries === TRIES_MAX) throw error;
      await sleep(Math.min(100 * 2 ** tries, PAUSE_MS_MAX) * (0.5 + Math.random() / 2));
    }
  }
}

async function runOnce(forecaster, streamId, batches, onAck) {
  const call = forecaster.streamLearn();
  let next;
  const send = () => {
    if (next > batches.length) return;
    call.write({ sequence: next, columns: batches[next - 1] });
    next += 1;
  };
  call.write({ open: { stream_id: streamId } });
  for await (const { opened, ack } of call) {
    if (opened) {
      // To wait for each ack would leave the server idle; to send everything at once would keep
      // it in memory here. One batch for each ack keeps as many under way as the server likes.
      next = opened.last_applied_sequence + 1;
      for (let i = 0; i < opened.max_inflight_batches; i += 1) send();
    } else {
      onAck(ack);
      send();
    }
    const applied = opened ? opened.last_applied_sequence : ack.sequence;
    if (applied === batches.length) call.end();
  }
}
