import { readFileSync } from 'node:fs';
import type { RequestHandler } from 'express';
import { middleware as openApiValidator } from 'express-openapi-validator';
import { parse } from 'yaml';

let handlers: RequestHandler[] | null = null;

/**
 * Requests under /v1 are checked against openapi/service.yaml; pages, health and callbacks have their own checks. Read and compiled once
 * in a process (about 0.2 s): the handlers keep nothing of a request.
 */
export function validateRequests(): RequestHandler[] {
  handlers ??= openApiValidator({
    apiSpec: parse(readFileSync(new URL('../../openapi/service.yaml', import.meta.url), 'utf8')),
    // That the description itself is right is a matter of the tests, not of every start.
    validateApiSpec: false,
    validateRequests: { allowUnknownQueryParameters: false, coerceTypes: false },
    validateResponses: false,
    // Access has one table, and it is not this one.
    validateSecurity: false,
    fileUploader: false,
    ignorePaths: (path: string) => !path.startsWith('/v1/') || path.startsWith('/v1/callbacks/'),
  });
  return handlers;
}
