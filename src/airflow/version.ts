/** Versions of Airflow as numbers. */

export interface Version {
  readonly text: string;
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** Reads `3.3.2`, `2.11.2+astro.1`, `3.4.0rc1`; null for anything else. */
export const parseVersion = (value: string): Version | null => {
  const found = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(value);
  return found === null ? null : { text: value, major: Number(found[1]), minor: Number(found[2]), patch: Number(found[3] ?? 0) };
};

export const atLeast = (version: Version, major: number, minor: number, patch = 0): boolean => {
  const here = [version.major, version.minor, version.patch];
  const there = [major, minor, patch];
  const differs = here.findIndex((part, place) => part !== there[place]);
  return differs === -1 || (here[differs] ?? 0) > (there[differs] ?? 0);
};
