/**
 * HTML that escapes by default: whatever is put into `html` as text comes out as text. Only what `html` itself made goes through as it is.
 * Attributes are always written in double quotes; a text can end neither them nor the tag.
 */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Value = Html | string | number | null | undefined | false | readonly Value[];

export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(strings.reduce((all, part, i) => all + render(values[i - 1]) + part));
}

function render(value: Value): string {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(render).join('');
  return escaped(String(value));
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
/** Marks that turn the writing direction can make `cod.exe` read as `exe.doc`; like other control characters they are shown as what they are not. */
const UNSEEN = /[\p{Cc}\p{Bidi_Control}]/gu;
const visible = (character: string): string =>
  character === '\n' || character === '\t' || character === '\r' ? character : '\uFFFD';
const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '').replace(UNSEEN, visible);
