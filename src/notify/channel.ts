import type { Notice } from './notices.ts';

/** One way to reach people. */
export interface Channel {
  readonly id: string;
  /**
   * Sends one notice. `op` is the same at every try, so that a receiver can recognise a repeat: after a lost answer the notice is sent
   * again (told twice is better than not told). Rejects with a `NotifyError` and nothing else.
   */
  send(notice: Notice, op: string): Promise<void>;
  /** Ends sockets; sends under way reject. */
  close(): void;
}

/** The notice was not, or not certainly, sent. The message never holds the address: that of a chat webhook is its credential. */
export class NotifyError extends Error {
  /** Whether another try makes sense. */
  readonly retry: boolean;
  /** What the receiver asked for; null = no wish. */
  readonly retryAfterMs: number | null;

  constructor(message: string, retry: boolean, retryAfterMs: number | null = null) {
    super(message);
    this.name = 'NotifyError';
    this.retry = retry;
    this.retryAfterMs = retryAfterMs;
  }
}
