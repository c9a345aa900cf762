/** Receives one line for people at a time, already with the seconds since the start of the piece of work. */
export type OnProgress = (line: string) => void;

export interface Progress {
  say(text: string): void;
  /** Runs `work`, says how long it took, and shows a sign of life every few seconds meanwhile. */
  step<T>(title: string, work: () => Promise<T>): Promise<T>;
}

const SIGN_OF_LIFE_MS = 5_000;

/** Counts from now on: `[ 12.3 s] text`. */
export function progressFrom(onProgress: OnProgress): Progress {
  const start = performance.now();
  const seconds = (from: number) => ((performance.now() - from) / 1000).toFixed(1);
  const say = (text: string) => onProgress(`[${seconds(start).padStart(6)} s] ${text}`);
  return {
    say,
    async step(title, work) {
      const from = performance.now();
      say(`${title} ...`);
      const life = setInterval(() => say(`${title}: still at it after ${seconds(from)} s`), SIGN_OF_LIFE_MS);
      try {
        const result = await work();
        say(`${title}: done in ${seconds(from)} s`);
        return result;
      } finally {
        clearInterval(life);
      }
    },
  };
}
