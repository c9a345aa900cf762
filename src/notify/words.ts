import type { Instant } from '../core/facts.ts';

/**
 * One line of harmless text: no line breaks, no terminal sequences, no invisible or direction-changing characters (they make a name
 * read as another one), and at most `max` UTF-16 units long, never cut within a character.
 */
export function clean(text: string, max = 250): string {
  const flat = text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  if (flat.length <= max) return flat;
  const cut = flat.slice(0, max - 1);
  return `${cut.isWellFormed() ? cut : cut.slice(0, -1)}…`;
}

const SHOWN = 10;

/** The first ten, and how many more; '' for none. */
export function few(items: readonly string[]): string {
  const shown = items.slice(0, SHOWN).map((item) => clean(item, 80));
  const more = items.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}

export const dags = (count: number): string => `${count} ${count === 1 ? 'DAG' : 'DAGs'}`;

/** `2026-11-21 03:25 UTC` */
export const moment = (at: Instant): string => `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`;

/** `3 d 4 h`, `2 h 10 min`, `45 min`, `20 s` */
export function span(from: Instant, to: Instant): string {
  const seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000));
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${seconds} s`;
}
