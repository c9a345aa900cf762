import { request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { conflict } from '../../src/errors.ts';
import * as sample from '../../src/web/samples.ts';
import { call, type Running, start, TOKENS, type World, world } from './support.ts';

let running: Running;
let w: World;
const up = async (more: Parameters<typeof world>[0] = {}) => {
  w = world(more);
  running = await start(w);
};
afterEach(() => running.stop());

/** fetch forbids `Origin`, `Host` and `Sec-Fetch-*` to be set freely: a browser's headers are written by hand. */
function browser(
  method: string,
  path: string,
  { cookie, body, headers = {} }: { cookie?: string; body?: string; headers?: Record<string, string> } = {},
) {
  return new Promise<{ status: number; location: string; cookies: string[]; text: string; headers: Record<string, unknown> }>(
    (resolve, reject) => {
      const req = request(`${running.url}${path}`, {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
          ...(cookie === undefined ? {} : { cookie }),
          ...headers,
        },
      });
      req.on('error', reject);
      req.on('response', (res) => {
        let text = '';
        res.setEncoding('utf8');
        res.on('data', (chunk) => {
          text += chunk;
        });
        res.on('end', () =>
          resolve({
            status: res.statusCode ?? 0,
            location: res.headers.location ?? '',
            cookies: res.headers['set-cookie'] ?? [],
            text,
            headers: res.headers,
          }),
        );
      });
      req.end(body);
    },
  );
}

const SAME = { 'sec-fetch-site': 'same-origin' };
async function login(role: keyof typeof TOKENS = 'approver', more: { cookie?: string; next?: string } = {}) {
  const body = new URLSearchParams({ token: TOKENS[role], ...(more.next === undefined ? {} : { next: more.next }) }).toString();
  const answer = await browser('POST', '/login', {
    body,
    headers: SAME,
    ...(more.cookie === undefined ? {} : { cookie: more.cookie }),
  });
  const set = answer.cookies.find((one) => !one.includes('Expires=Thu, 01 Jan 1970')) ?? '';
  return { ...answer, set, cookie: set.split(';')[0]! };
}
const page = async (cookie: string, headers = {}) => (await browser('GET', '/incidents', { cookie, headers })).status;

describe('logging in', () => {
  test('gives a cookie that no script and no other site can use', async () => {
    await up();
    const { status, location, set } = await login();
    expect([status, location]).toEqual([303, '/incidents']);
    expect(set).toMatch(/^firedamper=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  });

  test('behind https the cookie is bound to the host and Secure', async () => {
    await up({ publicUrl: 'https://fd.example.org' });
    expect((await login()).set).toMatch(/^__Host-firedamper=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
  });

  test('with a wrong token shows the form again and starts nothing', async () => {
    await up();
    const answer = await browser('POST', '/login', { body: 'token=nope', headers: SAME });
    expect(answer.status).toBe(401);
    expect(answer.text).toContain('This token is not known.');
    expect(answer.cookies).toEqual([]);
  });

  test('makes a new id each time, and the one before is worth nothing', async () => {
    await up();
    const first = await login();
    const second = await login('approver', { cookie: first.cookie });
    expect(second.cookie).not.toBe(first.cookie);
    expect(await page(first.cookie)).toBe(303);
    expect(await page(second.cookie)).toBe(200);
  });

  test('an id that somebody planted is never taken over', async () => {
    await up();
    const planted = `firedamper=${'A'.repeat(43)}`;
    await login('approver', { cookie: planted });
    expect(await page(planted)).toBe(303);
  });

  test.each([
    '//evil.example',
    '/\\evil.example',
    'https://evil.example/',
    'javascript:alert(1)',
    '/%09/evil.example',
    '\t//evil',
    '',
  ])('goes nowhere else afterwards: next=%j', async (next) => {
    await up();
    const { location } = await login('viewer', { next });
    const url = new URL(location, 'http://here.example');
    expect(url.host).toBe('here.example');
    expect(location.startsWith('//')).toBe(false);
  });

  test('goes back to the page that was asked for', async () => {
    await up();
    const asked = await browser('GET', '/incidents/inc-2041?x=1');
    expect(asked.location).toBe('/login?next=%2Fincidents%2Finc-2041%3Fx%3D1');
    expect((await login('viewer', { next: '/incidents/inc-2041?x=1' })).location).toBe('/incidents/inc-2041?x=1');
  });

  test('guessing is slowed down', async () => {
    await up();
    const statuses: number[] = [];
    for (let i = 0; i < 22; i++) statuses.push((await browser('POST', '/login', { body: `token=${i}`, headers: SAME })).status);
    expect(statuses.slice(0, 20)).toEqual(Array(20).fill(401));
    expect(statuses.slice(20)).toEqual([429, 429]);
  });
});

describe('a session ends', () => {
  test('30 minutes after the last click', async () => {
    await up();
    const { cookie } = await login();
    w.now += 29 * 60_000;
    expect(await page(cookie)).toBe(200);
    w.now += 29 * 60_000;
    expect(await page(cookie)).toBe(200);
    w.now += 31 * 60_000;
    expect(await page(cookie)).toBe(303);
  });

  test('also when only the page itself kept asking', async () => {
    await up();
    const { cookie } = await login();
    for (let minute = 0; minute < 30; minute += 5) {
      w.now += 5 * 60_000;
      expect(await page(cookie, { 'x-firedamper-background': '1' })).toBe(200);
    }
    w.now += 60_000;
    expect(await page(cookie, { 'x-firedamper-background': '1' })).toBe(303);
  });

  test('12 hours after the login whatever happens', async () => {
    await up();
    const { cookie } = await login();
    for (let i = 0; i < 12 * 3; i++) {
      w.now += 20 * 60_000;
      expect(await page(cookie)).toBe(200);
    }
    w.now += 1;
    expect(await page(cookie)).toBe(303);
  });

  test('with the logout, for good', async () => {
    await up();
    const { cookie } = await login();
    const out = await browser('POST', '/logout', { cookie, headers: SAME });
    expect([out.status, out.location]).toEqual([303, '/login']);
    expect(await page(cookie)).toBe(303);
  });

  test('a thousand sessions later the oldest is gone, and no more are kept', async () => {
    const { Sessions, MAX_SESSIONS } = await import('../../src/http/sessions.ts');
    const sessions = new Sessions('http://x', () => 0);
    const cookies: string[] = [];
    const res = { cookie: (_: string, value: string) => cookies.push(`firedamper=${value}`), clearCookie: () => {} };
    for (let i = 0; i <= MAX_SESSIONS; i++)
      sessions.start({ headers: {} } as never, res as never, { name: `p${i}`, role: 'viewer' });
    const who = (cookie: string) => sessions.person({ headers: { cookie } } as never)?.name;
    expect([who(cookies[0]!), who(cookies[1]!), who(cookies.at(-1)!)]).toEqual([undefined, 'p1', `p${MAX_SESSIONS}`]);
    await up();
  });
});

describe('an act that a browser is made to send by another site', () => {
  const CROSS: [string, Record<string, string>][] = [
    ['cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['same-site, another host', { 'sec-fetch-site': 'same-site' }],
    ['typed or bookmarked', { 'sec-fetch-site': 'none' }],
    ['cross-site with a forged Origin', { 'sec-fetch-site': 'cross-site', origin: 'http://localhost:8470' }],
    ['an old browser, other Origin', { origin: 'https://evil.example' }],
    ['an old browser, opaque Origin', { origin: 'null' }],
    ['an old browser, Origin that is no URL', { origin: 'evil' }],
    ['neither header', {}],
  ];
  test.each(CROSS)('%s: refused on pages and on the API, and nothing happens', async (_, headers) => {
    await up();
    const { cookie } = await login();
    const approval = `digest=${sample.DIGEST}`;
    expect((await browser('POST', '/repairs/rep-88/approve', { cookie, body: approval, headers })).status).toBe(403);
    const json = { ...headers, 'content-type': 'application/json' };
    expect(
      (
        await browser('POST', '/v1/repairs/rep-88/approve', {
          cookie,
          body: JSON.stringify({ digest: sample.DIGEST }),
          headers: json,
        })
      ).status,
    ).toBe(403);
    expect((await browser('POST', '/login', { body: `token=${TOKENS.viewer}`, headers })).status).toBe(403);
    expect(w.acts).toEqual([]);
  });

  const OWN: [string, () => Record<string, string>][] = [
    ['Sec-Fetch-Site', () => SAME],
    ['Origin of the public address', () => ({ origin: 'http://localhost:8470' })],
    ['Origin of the host that was asked', () => ({ origin: running.url })],
  ];
  test.each(OWN)('our own page is told by %s', async (_, headers) => {
    await up();
    const { cookie } = await login();
    const answer = await browser('POST', '/repairs/rep-88/approve', {
      cookie,
      body: `digest=${sample.DIGEST}&reason=ok`,
      headers: headers(),
    });
    expect([answer.status, answer.location]).toEqual([303, '/incidents/inc-2041']);
    expect(w.acts).toEqual([
      {
        person: { name: 'anna', role: 'approver' },
        act: { kind: 'approve', repairId: 'rep-88', digest: sample.DIGEST, comment: 'ok' },
      },
    ]);
  });

  test('a bearer token needs no page: no site can make a browser send it', async () => {
    await up();
    const answer = await call(running, 'POST', '/v1/incidents/inc-2041/acknowledge', {
      as: 'responder',
      json: {},
      headers: { 'sec-fetch-site': 'cross-site' },
    });
    expect(answer.status).toBe(200);
  });

  test('with the cookie the API takes JSON only: a form of another site cannot be written as JSON', async () => {
    await up();
    const { cookie } = await login();
    const answer = await browser('POST', '/v1/repairs/rep-88/approve', {
      cookie,
      body: `digest=${sample.DIGEST}`,
      headers: { ...SAME, 'content-type': 'text/plain' },
    });
    expect(answer.status).toBe(415);
    expect(w.acts).toEqual([]);
  });

  test('looking is never an act', async () => {
    await up();
    const { cookie } = await login('admin');
    for (const path of [
      '/incidents/inc-2041/fixed',
      '/repairs/rep-88/approve',
      '/holds/hold-revenue_report/release',
      '/logout',
    ]) {
      expect((await browser('GET', path, { cookie })).status, path).toBe(404);
    }
    expect(w.acts).toEqual([]);
  });
});

describe('what the browser is told', () => {
  test('nothing inline, nothing from elsewhere, no frame but of the Airflow that people open, no cache', async () => {
    await up();
    const { cookie } = await login();
    for (const path of ['/incidents', '/incidents/inc-2041', '/login', '/nothing']) {
      const { headers } = await browser('GET', path, { cookie });
      expect(headers['content-security-policy'], path).toBe(
        "default-src 'none';style-src 'self';script-src 'self';img-src 'self';connect-src 'self';font-src 'self';form-action 'self';base-uri 'none';frame-ancestors https://airflow.example.org",
      );
      expect(headers['x-frame-options'], path).toBeUndefined();
      expect(headers['cache-control'], path).toBe('no-store');
      expect(headers['x-content-type-options'], path).toBe('nosniff');
      expect(headers['referrer-policy'], path).toBe('same-origin');
      expect(headers['x-powered-by'], path).toBeUndefined();
      expect(headers['strict-transport-security'], path).toBeUndefined();
    }
  });

  test('to come back by https only, where it came by https', async () => {
    await up({ publicUrl: 'https://fd.example.org' });
    expect((await browser('GET', '/login')).headers['strict-transport-security']).toBe('max-age=31536000; includeSubDomains');
  });
});

describe('an act by a form', () => {
  test('shows once that it was done', async () => {
    await up();
    const { cookie } = await login();
    await browser('POST', '/incidents/inc-2041/fixed', { cookie, body: 'reason=deployed', headers: SAME });
    expect(w.acts[0]?.act).toEqual({ kind: 'fixed', incidentId: 'inc-2041', comment: 'deployed' });
    const background = await browser('GET', '/incidents/inc-2041', { cookie, headers: { 'x-firedamper-background': '1' } });
    expect(background.text).not.toContain('Noted as fixed');
    expect((await browser('GET', '/incidents/inc-2041', { cookie })).text).toContain('Noted as fixed');
    expect((await browser('GET', '/incidents/inc-2041', { cookie })).text).not.toContain('Noted as fixed');
  });

  test('that is refused shows the incident as it is, the reason and the difference, with the status', async () => {
    const act = async () => {
      throw conflict('the approved digest is not the digest of the plan', { difference: ['now runs: <b>r2</b>'] });
    };
    await up({ deps: { act } });
    const { cookie } = await login();
    const answer = await browser('POST', '/repairs/rep-88/approve', { cookie, body: 'digest=old', headers: SAME });
    expect(answer.status).toBe(409);
    expect(answer.text).toContain('the approved digest is not the digest of the plan');
    expect(answer.text).toContain('now runs: &lt;b&gt;r2&lt;/b&gt;');
    expect(answer.text).toContain(sample.DIGEST);
  });

  test.each(['verify', 'release', 'dismiss'])('%s without a reason is refused in words', async (act) => {
    await up();
    const { cookie } = await login();
    const answer = await browser('POST', `/incidents/inc-2041/${act}`, { cookie, body: 'reason=+', headers: SAME });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('a reason is needed');
    expect(w.acts).toEqual([]);
  });

  test('of an incident that is gone: a page that says so', async () => {
    const act = async () => {
      throw conflict('x');
    };
    await up({ deps: { act } });
    const { cookie } = await login();
    expect((await browser('POST', '/incidents/nope/fixed', { cookie, body: '', headers: SAME })).status).toBe(409);
    expect((await browser('POST', '/repairs/nope/approve', { cookie, body: 'digest=x', headers: SAME })).status).toBe(404);
  });
});
