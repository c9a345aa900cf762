import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { runRestore } from '../../src/commands/restore.ts';
import { parseConfig } from '../../src/config.ts';

const asked = { file: undefined, as: undefined, reason: 'looked' };
const never = () => {
  throw new Error('nothing is restored');
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test.each([
  { ...asked, differences: true, confirm: false },
  { ...asked, differences: false, confirm: true },
])('where no service runs it says so, why, and what to do', async (options) => {
  const port = await freePort();
  const text = JSON.stringify({
    server: { listen: `127.0.0.1:${port}` },
    airflows: [{ id: 'prod', url: 'http://localhost:8080', auth: { username: 'u', password: 'p' } }],
    access: { tokens: [{ name: 'adam', role: 'admin', secret: 'token-of-adam-0123456789' }] },
  });
  const config = parseConfig(text, { file: 'firedamper.yaml', folder: '/', env: {} });
  await expect(runRestore(config, options, never, never)).rejects.toThrow(
    /^no service answers at http:\/\/127\.0\.0\.1:\d+\/v1\/restore(\/confirm)? \(connect ECONNREFUSED .*\); start it: on a restored database/,
  );
});
