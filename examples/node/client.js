// A shop chain's backend, in Node: one model per cafe, made from one upload, taught from history
// in bulk and then day by day, and asked for the week to come.
//
//   node client.js --payload lm.dill [--server HOST:PORT] [--ca FILE] [--token-file FILE]

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import grpc from '@grpc/grpc-js';

import { connect, reasonOf } from './connection.js';
import { streamLearn } from './stream.js';

const CAFES = Array.from({ length: 20 }, (_, i) => `cafe-${i + 1}`);
const FIRST_DAY = Date.UTC(2026, 0, 5) / 86_400_000; // days since 1970-01-01; a Monday
const WEEKS = 8;
const TODAY = FIRST_DAY + 7 * WEEKS;

const iso = (day) => new Date(day * 86_400_000).toISOString().slice(0, 10);

/** Cups sold by the i-th cafe on a day: more on weekends, as in a real one. */
const sold = (i, day) => 20 + 2 * i + ((day - FIRST_DAY) % 7 >= 5 ? 15 : 0);

/** One week of all cafes as columns, which cost far less than a message per sale. */
function week(number) {
  const columns = { models: CAFES, model_index: [], date_days: [], target: [] };
  for (let day = FIRST_DAY + 7 * number; day < FIRST_DAY + 7 * (number + 1); day += 1) {
    for (const [i] of CAFES.entries()) {
      columns.model_index.push(i);
      columns.date_days.push(day);
      columns.target.push(sold(i, day));
    }
  }
  return columns;
}

/** Uploads an estimator as a template: each cafe's model is cloned from it by its first sale. */
async function upload(forecaster, path) {
  const payload = readFileSync(path);
  try {
    await forecaster.uploadModel({
      model: 'cafe-*',
      candidate: 'lm',
      template: true,
      payload,
      sha256: createHash('sha256').update(payload).digest(),
      context: ['CONTEXT_FIELD_DATE'], // what this pipeline reads besides features
    });
    return 'uploaded';
  } catch (error) {
    if (reasonOf(error) !== 'ERROR_REASON_CANDIDATE_EXISTS') throw error;
    return 'was there already';
  }
}

/** Streams the history; a second run finds all of it learned and sends nothing. */
async function learnHistory(forecaster) {
  const weeks = Array.from({ length: WEEKS }, (_, number) => week(number));
  await streamLearn(forecaster, 'cafe-history-1', weeks, (ack) => {
    console.log(`week ${ack.sequence}: ${ack.learned} sales learned, ${ack.error_count} refused`);
    for (const error of ack.errors) console.error(`  row ${error.row}: ${error.message}`);
  });
}

async function main() {
  const { values: options } = parseArgs({
    options: {
      server: { type: 'string', default: '127.0.0.1:50051' },
      payload: { type: 'string' },
      ca: { type: 'string' },
      'token-file': { type: 'string' },
    },
  });
  if (!options.payload) throw new Error('--payload is missing: a file of dill bytes, see README.md');
  const forecaster = connect({ ...options, tokenFile: options['token-file'] });
  try {
    const server = await forecaster.init({ flavor: 'FLAVOR_REGRESSION' });
    console.log(`Thalweg ${server.server_version}, ${server.model_count} models`);
    console.log(`template cafe-*: ${await upload(forecaster, options.payload)}`);
    await learnHistory(forecaster);

    const model = CAFES[6];
    const answer = await forecaster.predict({ model, date: iso(TODAY), horizon: 7 });
    const means = answer.forecast.map((point) => point.mean.toFixed(1));
    console.log(`${model}, the week from ${iso(TODAY)}: ${means.join(' ')}`);

    // The id makes it safe to repeat: the same sale is learned once, however often it is sent.
    const sale = { model, date: iso(TODAY), target: { number: sold(6, TODAY) } };
    const learned = await forecaster.learn({ ...sale, request_id: `${model}/${iso(TODAY)}` });
    const outcome = learned.duplicate ? 'had learned that day before' : 'learned that day';
    console.log(`${model} ${outcome}: ${learned.learned} in all`);
  } finally {
    forecaster.close();
  }
}

try {
  await main();
} catch (error) {
  const what = [grpc.status[error.code], reasonOf(error)].filter(Boolean).join(' ') || error.name;
  console.error(`${what}: ${error.details ?? error.message}`);
  process.exitCode = 1;
}
