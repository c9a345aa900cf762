/** One line per test that a table can be made from. */
export function figure(id: string, values: Readonly<Record<string, string | number>>): void {
  const pairs = Object.entries(values).map(([name, value]) => `${name}=${value}`);
  console.log(`figure: ${id} ${pairs.join(' ')}`);
}

/** A control that passes means that the test is blind. */
export function failsAsItMust(id: string, control: string, seen: string): void {
  console.log(`figure: ${id} control="${control}" result="fails as it must" seen="${seen}"`);
}

export const LONG = process.env.FIREDAMPER_LONG === '1';
