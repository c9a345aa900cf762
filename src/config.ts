import type { LineageEdge } from './core/facts.ts';
import type { NotifyEvent, Policy, Role } from './core/policy.ts';

/** A value that must never be printed: `toString`, `toJSON` and `inspect` answer `***`; `reveal()` gives it. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return '***';
  }
  toJSON(): string {
    return '***';
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '***';
  }
}

export interface AirflowConfig {
  readonly id: string;
  readonly url: string;
  readonly auth: { readonly kind: 'password'; readonly username: string; readonly password: Secret } | { readonly kind: 'token'; readonly token: Secret };
  readonly callbackSecrets: readonly Secret[];
  readonly pollIntervalMs: number;
  /** How far the very first poll of a fresh database looks back; 0 = only what fails from now on. */
  readonly pollLookbackMs: number;
  /** Slower passes: lineage, `updated_at`, DAG list. */
  readonly surveyIntervalMs: number;
  /** Whole call, connect included. */
  readonly timeoutMs: number;
  /** Calls at a time in the pause lane; a real Airflow is fastest with about four (3.3.2, measured). */
  readonly pauseConcurrency: number;
  /** 2.x: whether the login form may be used for a session cookie, which makes calls 4-9 times cheaper and shows the dependency page. */
  readonly sessionLogin: boolean;
}

export interface TokenConfig {
  readonly name: string;
  readonly role: Role;
  readonly secret: Secret;
}

export interface ChannelConfig {
  readonly id: string;
  readonly kind: 'webhook' | 'slack';
  readonly url: Secret;
  readonly events: readonly NotifyEvent[];
  /** Standard Webhooks signature for `webhook` channels; null = unsigned. */
  readonly secret: Secret | null;
}

export interface Config {
  readonly server: { readonly host: string; readonly port: number; readonly publicUrl: string };
  readonly database: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly airflows: readonly AirflowConfig[];
  readonly tokens: readonly TokenConfig[];
  readonly policy: Policy;
  readonly edges: readonly LineageEdge[];
  readonly channels: readonly ChannelConfig[];
  readonly intake: { readonly maxBodyBytes: number; readonly ratePerMinute: number; readonly toleranceMs: number };
}
