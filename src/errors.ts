/**
 * The five kinds of error that Firedamper raises on purpose. Anything else is a bug and becomes "internal" for people
 * and full detail for the log. One map to HTTP status codes stands in `http/server.ts`.
 */
export type ErrorKind = 'invalid' | 'notFound' | 'conflict' | 'unavailable' | 'internal' | 'forbidden';

/** An error with a kind and a message that may be shown to people; `detail` may hold structured data for the caller. */
export class FiredamperError extends Error {
  readonly kind: ErrorKind;
  readonly detail: Readonly<Record<string, unknown>>;

  constructor(kind: ErrorKind, message: string, detail: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = 'FiredamperError';
    this.kind = kind;
    this.detail = detail;
  }
}

type Detail = Readonly<Record<string, unknown>>;
export const invalid = (message: string, detail?: Detail) => new FiredamperError('invalid', message, detail);
export const notFound = (message: string, detail?: Detail) => new FiredamperError('notFound', message, detail);
export const conflict = (message: string, detail?: Detail) => new FiredamperError('conflict', message, detail);
export const forbidden = (message: string, detail?: Detail) => new FiredamperError('forbidden', message, detail);
export const unavailable = (message: string, detail?: Detail) => new FiredamperError('unavailable', message, detail);
export const internal = (message: string, detail?: Detail) => new FiredamperError('internal', message, detail);

/** Nothing was wrong with what was asked: the same may work later. */
export const isUnavailable = (error: unknown): boolean => error instanceof FiredamperError && error.kind === 'unavailable';
