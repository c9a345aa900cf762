import { createHash, randomBytes } from 'node:crypto';
import type { CookieOptions, Request, Response } from 'express';
import type { Person } from '../core/events.ts';

/** Named limits of a web session (ASVS 5.0, 7.3): after so long without a click, and after so long in any case, one logs in again. */
export const SESSION_IDLE_MS = 30 * 60_000;
export const SESSION_MAX_MS = 12 * 60 * 60_000;
/** More at a time than any team has; the oldest go first, so that logging in over and over cannot fill the memory. */
export const MAX_SESSIONS = 1_000;

export interface Flash {
  readonly kind: 'done' | 'refused';
  readonly text: string;
}

interface Session {
  readonly person: Person;
  readonly createdAt: number;
  seenAt: number;
  flash: Flash | null;
}

/** Header of the page's own background refresh: it must not keep a session alive that nobody sits in front of. */
export const BACKGROUND_HEADER = 'x-firedamper-background';

/**
 * Sessions live in memory: a restart logs everybody out, and nothing secret is on disk. The cookie holds 256 random bits, the map
 * only their digest.
 */
export class Sessions {
  readonly #byDigest = new Map<string, Session>();
  readonly #now: () => number;
  readonly #secure: boolean;
  readonly cookieName: string;

  constructor(publicUrl: string, now: () => number) {
    this.#now = now;
    this.#secure = publicUrl.startsWith('https:');
    // The prefix makes browsers refuse the cookie unless it is Secure and from this very host.
    this.cookieName = this.#secure ? '__Host-firedamper' : 'firedamper';
  }

  /** A new id at every login: an id that somebody planted before is worth nothing. */
  start(req: Request, res: Response, person: Person): void {
    this.end(req, res);
    const token = randomBytes(32).toString('base64url');
    const now = this.#now();
    this.#byDigest.set(key(token), { person, createdAt: now, seenAt: now, flash: null });
    for (const oldest of this.#byDigest.keys()) {
      if (this.#byDigest.size <= MAX_SESSIONS) break;
      this.#byDigest.delete(oldest);
    }
    res.cookie(this.cookieName, token, this.#cookie());
  }

  end(req: Request, res: Response): void {
    const token = this.#token(req);
    if (token !== null) this.#byDigest.delete(key(token));
    res.clearCookie(this.cookieName, this.#cookie());
  }

  person(req: Request): Person | null {
    const session = this.#session(req);
    if (session !== null && req.headers[BACKGROUND_HEADER] === undefined) session.seenAt = this.#now();
    return session?.person ?? null;
  }

  /** One sentence for the next page of this session. */
  setFlash(req: Request, flash: Flash): void {
    const session = this.#session(req);
    if (session !== null) session.flash = flash;
  }

  takeFlash(req: Request): Flash | null {
    const session = this.#session(req);
    if (session === null || req.headers[BACKGROUND_HEADER] !== undefined) return null;
    const { flash } = session;
    session.flash = null;
    return flash;
  }

  #session(req: Request): Session | null {
    const token = this.#token(req);
    const session = token === null ? undefined : this.#byDigest.get(key(token));
    if (token === null || session === undefined) return null;
    const now = this.#now();
    if (now - session.seenAt > SESSION_IDLE_MS || now - session.createdAt > SESSION_MAX_MS) {
      this.#byDigest.delete(key(token));
      return null;
    }
    return session;
  }

  #token(req: Request): string | null {
    for (const part of (req.headers.cookie ?? '').split(';')) {
      const at = part.indexOf('=');
      if (at !== -1 && part.slice(0, at).trim() === this.cookieName) return part.slice(at + 1).trim();
    }
    return null;
  }

  #cookie(): CookieOptions {
    return { httpOnly: true, sameSite: 'strict', secure: this.#secure, path: '/' };
  }
}

const key = (token: string): string => createHash('sha256').update(token).digest('base64url');
