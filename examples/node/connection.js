// The way to a server: the contract, TLS and token, deadlines and retries, and why calls fail.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

// Names stay as the contract writes them. Counters are uint64 there, and Numbers are exact up to
// 2^53 of them.
const LOADING = { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true };
const contract = protoLoader.loadSync(here('../../proto/thalweg/v1/forecaster.proto'), LOADING);
const details = protoLoader.loadSync(here('error_details.proto'), LOADING);
const { Forecaster } = grpc.loadPackageDefinition(contract).thalweg.v1;

// gRPC itself gives every call a deadline and repeats it where the server was not there. That is
// safe for Init and Predict, for a Learn with a request_id, and for an UploadModel whose second
// try finds the candidate of the first (CANDIDATE_EXISTS). StreamLearn resumes by itself.
const UNARY = {
  name: ['Init', 'UploadModel', 'Predict', 'Learn'].map((method) => ({
    service: 'thalweg.v1.Forecaster',
    method,
  })),
  timeout: '30s', // the first upload of a kind waits until its kernel is compiled
  retryPolicy: {
    maxAttempts: 4,
    initialBackoff: '0.2s',
    maxBackoff: '2s',
    backoffMultiplier: 2,
    retryableStatusCodes: ['UNAVAILABLE'],
  },
};

/**
 * Connects to a server.
 * @param {{server: string, ca?: string, tokenFile?: string}} options host:port; the PEM file of
 *     the authority to trust, without which nothing is encrypted; the file of the bearer token.
 */
export function connect({ server, ca, tokenFile }) {
  const forecaster = new Forecaster(server, credentials(ca, tokenFile), {
    'grpc.service_config': JSON.stringify({ methodConfig: [UNARY] }),
  });
  const unary = (method) => promisify(forecaster[method]).bind(forecaster);
  return {
    init: unary('Init'),
    uploadModel: unary('UploadModel'),
    predict: unary('Predict'),
    learn: unary('Learn'),
    streamLearn: () => forecaster.StreamLearn(),
    close: () => forecaster.close(),
  };
}

function credentials(ca, tokenFile) {
  if (!ca && tokenFile) throw new Error('a token crosses the network only encrypted: give --ca');
  if (!ca) return grpc.credentials.createInsecure();
  const tls = grpc.credentials.createSsl(readFileSync(ca));
  if (!tokenFile) return tls;
  // Read for each call, so that the token may change while this runs.
  const bearer = grpc.credentials.createFromMetadataGenerator((_, done) => {
    try {
      const metadata = new grpc.Metadata();
      metadata.set('authorization', `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`);
      done(null, metadata);
    } catch (error) {
      done(error);
    }
  });
  return grpc.credentials.combineChannelCredentials(tls, bearer);
}

/**
 * Returns why a call failed, as the contract's ErrorReason: programs decide by it, not by the
 * message. Empty where it was not Thalweg that said no.
 * @param {import('@grpc/grpc-js').ServiceError} error what the call threw.
 */
export function reasonOf(error) {
  const [trailer] = error.metadata?.get('grpc-status-details-bin') ?? [];
  if (!trailer) return '';
  const status = details['google.rpc.Status'].deserialize(trailer);
  const info = status.details.find((one) => one.type_url.endsWith('/google.rpc.ErrorInfo'));
  return info ? details['google.rpc.ErrorInfo'].deserialize(info.value).reason : '';
}
