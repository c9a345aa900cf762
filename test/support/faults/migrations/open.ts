/** Opens a database as the service does at its start, and closes it: what is killed in the middle. `node open.ts <file> <folder of the program>`. */
import { join } from 'node:path';

const [file = '', root = ''] = process.argv.slice(2);
const { openStore } = (await import(join(root, 'src/store/store.ts'))) as typeof import('../../../../src/store/store.ts');
await (await openStore(file)).close();
