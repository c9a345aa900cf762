/** Generated types must be what the descriptions give: whoever edits a YAML and forgets `npm run generate` is told here. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PAIRS = [
  ['openapi/service.yaml', 'src/http/schema-service.d.ts'],
  ['openapi/airflow-v1.yaml', 'src/airflow/schema-v1.d.ts'],
  ['openapi/airflow-v2.yaml', 'src/airflow/schema-v2.d.ts'],
] as const;

const folder = mkdtempSync(join(tmpdir(), 'schemas-'));
let drifted = 0;
for (const [from, to] of PAIRS) {
  const fresh = join(folder, 'fresh.d.ts');
  const made = spawnSync('openapi-typescript', [from, '-o', fresh], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`${from}: ${made.stderr}`);
  if (readFileSync(fresh, 'utf8') === readFileSync(to, 'utf8')) continue;
  console.error(`${to} is not what ${from} gives: run npm run generate`);
  drifted++;
}
rmSync(folder, { recursive: true });
process.exitCode = drifted === 0 ? 0 : 1;
