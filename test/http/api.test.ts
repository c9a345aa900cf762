import { middleware } from 'express-openapi-validator';
import { afterEach, describe, expect, test } from 'vitest';
import { reason } from '../../src/core/reason.ts';
import { conflict, notFound, unavailable } from '../../src/errors.ts';
import * as sample from '../../src/web/samples.ts';
import { againstSpec, call, type Running, spec, start, type World, world } from './support.ts';

let running: Running;
let w: World;
const up = async (with_: World = world()) => {
  w = with_;
  running = await start(w);
};
afterEach(() => running.stop());

describe('what the API answers is what service.yaml says', () => {
  const reads: [string, string][] = [
    ['/v1/incidents', '/v1/incidents'],
    ['/v1/incidents/{id}', '/v1/incidents/inc-2041'],
    ['/v1/incidents/{id}/timeline', '/v1/incidents/inc-2041/timeline'],
    ['/v1/incidents/{id}/release-preview', '/v1/incidents/inc-2041/release-preview'],
    ['/v1/holds', '/v1/holds'],
    ['/v1/signals', '/v1/signals?dag_id=orders_etl'],
    ['/v1/repairs/{id}', '/v1/repairs/rep-88'],
    ['/v1/dags/{airflow}/{dag_id}', '/v1/dags/prod/revenue_report'],
    ['/healthz', '/healthz'],
    ['/readyz', '/readyz'],
  ];
  test.each(reads)('GET %s', async (template, path) => {
    await up();
    const answer = await call(running, 'GET', path, { as: 'viewer' });
    expect(answer.status).toBe(200);
    expect(againstSpec('GET', template, answer)).toEqual([]);
  });

  const acts: [string, string, object, object][] = [
    [
      '/v1/incidents/{id}/acknowledge',
      '/v1/incidents/inc-2041/acknowledge',
      {},
      { kind: 'acknowledge', incidentId: 'inc-2041', comment: null },
    ],
    [
      '/v1/incidents/{id}/fixed',
      '/v1/incidents/inc-2041/fixed',
      { reason: 'deployed' },
      { kind: 'fixed', incidentId: 'inc-2041', comment: 'deployed' },
    ],
    [
      '/v1/incidents/{id}/verify',
      '/v1/incidents/inc-2041/verify',
      { reason: 'counted' },
      { kind: 'verify', incidentId: 'inc-2041', comment: 'counted' },
    ],
    [
      '/v1/incidents/{id}/release',
      '/v1/incidents/inc-2041/release',
      { reason: 'r' },
      { kind: 'release', incidentId: 'inc-2041', comment: 'r' },
    ],
    [
      '/v1/incidents/{id}/dismiss',
      '/v1/incidents/inc-2041/dismiss',
      { comment: 'test run' },
      { kind: 'dismiss', incidentId: 'inc-2041', comment: 'test run' },
    ],
    [
      '/v1/holds/{id}/release',
      '/v1/holds/hold-revenue_report/release',
      { reason: 'r' },
      { kind: 'release_hold', holdId: 'hold-revenue_report', comment: 'r' },
    ],
    [
      '/v1/repairs/{id}/approve',
      '/v1/repairs/rep-88/approve',
      { digest: sample.DIGEST, comment: 'ok' },
      { kind: 'approve', repairId: 'rep-88', digest: sample.DIGEST, comment: 'ok' },
    ],
    [
      '/v1/repairs/{id}/reject',
      '/v1/repairs/rep-88/reject',
      { comment: 'no' },
      { kind: 'reject', repairId: 'rep-88', comment: 'no' },
    ],
    [
      '/v1/repairs/{id}/cancel',
      '/v1/repairs/rep-88/cancel',
      { reason: 'stop' },
      { kind: 'cancel', repairId: 'rep-88', comment: 'stop' },
    ],
  ];
  test.each(acts)("POST %s is the person's act and answers what it changed", async (template, path, json, act) => {
    await up();
    const answer = await call(running, 'POST', path, { as: 'approver', json });
    expect(answer.status).toBe(200);
    expect(againstSpec('POST', template, answer)).toEqual([]);
    expect(w.acts).toEqual([{ person: { name: 'anna', role: 'approver' }, act }]);
  });

  test('service.yaml is a right OpenAPI description', async () => {
    await up();
    const errorOf = (apiSpec: unknown) => {
      const [load] = middleware({ apiSpec: apiSpec as never, validateApiSpec: true });
      return new Promise((resolve) => load!({ app: { param: () => {} } } as never, {} as never, resolve));
    };
    expect(await errorOf(spec())).toBeUndefined();
    expect(await errorOf({ ...spec(), paths: { '/x': { get: { responses: 7 } } } })).toBeInstanceOf(Error);
  });

  test('every operation of service.yaml is served, and nothing under /v1 that is not in it', async () => {
    await up();
    const served = running.app.router.stack
      .flatMap((layer) => (layer.route ? layer.route.stack.map((s) => `${s.method} ${layer.route!.path}`) : []))
      .filter((route) => / \/(v1|healthz|readyz|metrics)/.test(route));
    const described = Object.entries(spec().paths).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((m) => m !== 'parameters')
        .map((m) => `${m} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
    );
    expect([...new Set(served)].sort()).toEqual(described.sort());
  });
});

describe('incidents', () => {
  test('are filtered by status (repeated or comma separated), DAG and Airflow, page by page', async () => {
    await up();
    w.views.set('inc-7', sample.view({ incident: sample.incident({ id: 'inc-7', status: 'open', dagId: 'a b/c' }) }));
    const ids = async (query: string) =>
      (await call(running, 'GET', `/v1/incidents?${query}`, { as: 'viewer' })).body.incidents.map((i: { id: string }) => i.id);
    expect(await ids('status=open')).toEqual(['inc-7']);
    expect(await ids('status=open,contained')).toEqual(['inc-2041', 'inc-7']);
    expect(await ids('status=open&status=contained')).toEqual(['inc-2041', 'inc-7']);
    expect(await ids(`dag_id=${encodeURIComponent('a b/c')}`)).toEqual(['inc-7']);
    expect(await ids('airflow=other')).toEqual([]);
    const first = await call(running, 'GET', '/v1/incidents?limit=1', { as: 'viewer' });
    expect(first.body.next_cursor).toBe('1');
    expect(await ids('limit=1&cursor=1')).toEqual(['inc-7']);
  });

  test('a status that does not exist is refused, not answered with nothing', async () => {
    await up();
    const answer = await call(running, 'GET', '/v1/incidents?status=opened', { as: 'viewer' });
    expect(answer.status).toBe(400);
    expect(answer.body.detail).toContain('no such status: opened');
    expect(againstSpec('GET', '/v1/incidents', answer)).toEqual([]);
  });

  test.each(['limit=0', 'limit=201', 'limit=x', 'colour=red'])('GET /v1/incidents?%s is refused', async (query) => {
    await up();
    expect((await call(running, 'GET', `/v1/incidents?${query}`, { as: 'viewer' })).status).toBe(400);
  });

  test('one has the address of its page and says its reasons in words', async () => {
    await up(world({ publicUrl: 'https://fd.example.org/' }));
    const { body } = await call(running, 'GET', '/v1/incidents/inc-2041', { as: 'viewer' });
    expect(body.page).toBe('https://fd.example.org/incidents/inc-2041');
    expect(body.status_reason).toEqual({ code: 'contained', text: 'every affected DAG is held or spared with a reason' });
    expect(body.holds[3]).toMatchObject({
      dag_id: 'exec_dashboard',
      state: 'foreign',
      found_paused: true,
      reason_code: 'already_paused',
    });
    expect(body.repairs[0].steps[0].request).toMatchObject({ kind: 'clear', tasks: ['load_orders'] });
  });

  test('declared by hand: 201, its address, and the act has what was said', async () => {
    await up();
    const json = {
      airflow: 'prod',
      dag_id: 'orders_etl',
      title: ' wrong totals ',
      severity: 'P2',
      type: 'data_corruption',
      reason: 'finance called',
    };
    const answer = await call(running, 'POST', '/v1/incidents', { as: 'responder', json });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('location')).toBe('/v1/incidents/inc-2041');
    expect(againstSpec('POST', '/v1/incidents', answer)).toEqual([]);
    expect(w.acts[0]?.act).toEqual({
      kind: 'declare',
      airflow: 'prod',
      dagId: 'orders_etl',
      runId: null,
      title: 'wrong totals',
      severity: 'P2',
      incidentType: 'data_corruption',
      comment: 'finance called',
    });
  });

  test.each([
    [{ dag_id: 'd', title: 't' }, 'airflow'],
    [{ airflow: 'prod', dag_id: 'd', title: '   ' }, 'title'],
    [{ airflow: 'prod', dag_id: 'd', title: 't', severity: 'P9' }, 'severity'],
    [{ airflow: 'prod', dag_id: 'd', title: 't', colour: 'red' }, 'additional'],
    [{ airflow: 'nowhere', dag_id: 'd', title: 't' }, 'nowhere'],
  ])('a declaration %j is refused by name', async (json, named) => {
    await up();
    const answer = await call(running, 'POST', '/v1/incidents', { as: 'responder', json });
    expect(answer.status).toBe(400);
    expect(answer.body.detail).toContain(named);
    expect(w.acts).toEqual([]);
  });

  test('a change needs a reason and something to change', async () => {
    await up();
    const patch = (json: object) => call(running, 'PATCH', '/v1/incidents/inc-2041', { as: 'responder', json });
    expect((await patch({ severity: 'P0' })).status).toBe(400);
    expect((await patch({ reason: 'because' })).status).toBe(400);
    expect((await patch({ severity: 'P0', reason: '  ' })).status).toBe(400);
    const answer = await patch({ severity: 'P0', title: 'x', reason: 'the whole shop' });
    expect(againstSpec('PATCH', '/v1/incidents/{id}', answer)).toEqual([]);
    expect(w.acts.map((a) => a.act)).toEqual([
      { kind: 'edit', incidentId: 'inc-2041', comment: 'the whole shop', severity: 'P0', title: 'x' },
    ]);
  });

  test.each(['verify', 'release', 'dismiss'])('%s without a reason is refused', async (act) => {
    await up();
    for (const json of [{}, { reason: '' }, { reason: ' ' }]) {
      expect((await call(running, 'POST', `/v1/incidents/inc-2041/${act}`, { as: 'admin', json })).status).toBe(400);
    }
    expect(w.acts).toEqual([]);
  });

  test.each(['acknowledge', 'fixed'])('%s needs no body at all', async (act) => {
    await up();
    expect((await call(running, 'POST', `/v1/incidents/inc-2041/${act}`, { as: 'responder' })).status).toBe(200);
    expect(w.acts[0]?.act).toMatchObject({ kind: act, comment: null });
  });

  test('fixed answers 202 while the repair is still being planned', async () => {
    await up();
    w.views.set(
      'inc-2041',
      sample.view({ repairs: [sample.repair({ state: 'planning', digest: null, steps: [], expiresAt: null })] }),
    );
    const answer = await call(running, 'POST', '/v1/incidents/inc-2041/fixed', { as: 'responder', json: {} });
    expect(answer.status).toBe(202);
    expect(answer.body.repair).toMatchObject({ id: 'rep-88', state: 'planning', digest: null });
    expect(againstSpec('POST', '/v1/incidents/{id}/fixed', answer)).toEqual([]);
  });

  test('fixed with nothing to repair says so', async () => {
    await up(world({ answer: { repairId: null, note: reason('nothing_to_repair') } }));
    const answer = await call(running, 'POST', '/v1/incidents/inc-2041/fixed', { as: 'responder', json: {} });
    expect(answer.body).toEqual({
      repair: null,
      note: { code: 'nothing_to_repair', text: 'Airflow has nothing left to run again' },
    });
    expect(againstSpec('POST', '/v1/incidents/{id}/fixed', answer)).toEqual([]);
  });

  test('the timeline names actor and reason, whole or page by page', async () => {
    await up();
    const all = (await call(running, 'GET', '/v1/incidents/inc-2041/timeline', { as: 'viewer' })).body;
    expect(all.timeline).toHaveLength(sample.TIMELINE.length);
    expect(all.timeline[7]).toMatchObject({
      actor: 'alice',
      actor_kind: 'person',
      event: 'incident.acknowledged',
      reason_code: 'acknowledged',
    });
    const page = (await call(running, 'GET', '/v1/incidents/inc-2041/timeline?limit=4', { as: 'viewer' })).body;
    const rest = (
      await call(running, 'GET', `/v1/incidents/inc-2041/timeline?limit=200&cursor=${page.next_cursor}`, { as: 'viewer' })
    ).body;
    expect([...page.timeline, ...rest.timeline]).toEqual(all.timeline);
    expect(rest.next_cursor).toBeNull();
  });
});

describe('an act that is refused', () => {
  test('approval of another digest: 409 with the difference', async () => {
    const difference = [{ added: 'run x' }];
    const act = async () => {
      throw conflict('this is not the plan that is proposed', { code: 'digest_mismatch', difference, status: 200 });
    };
    await up(world({ deps: { act } }));
    const answer = await call(running, 'POST', '/v1/repairs/rep-88/approve', { as: 'approver', json: { digest: 'beef' } });
    expect(answer.status).toBe(409);
    expect(answer.type).toBe('application/problem+json; charset=utf-8');
    expect(answer.body).toMatchObject({
      status: 409,
      detail: 'this is not the plan that is proposed',
      difference,
      code: 'digest_mismatch',
    });
    expect(againstSpec('POST', '/v1/repairs/{id}/approve', answer)).toEqual([]);
  });

  test('approval without a digest never becomes an act', async () => {
    await up();
    expect((await call(running, 'POST', '/v1/repairs/rep-88/approve', { as: 'approver', json: { comment: 'yes' } })).status).toBe(
      400,
    );
    expect(w.acts).toEqual([]);
  });

  test('unknown things are 404 and are named', async () => {
    const act = async () => {
      throw notFound('there is no incident nope');
    };
    await up(world({ deps: { act } }));
    for (const path of [
      '/v1/incidents/nope',
      '/v1/incidents/nope/timeline',
      '/v1/incidents/nope/release-preview',
      '/v1/repairs/nope',
      '/v1/dags/prod/nope',
      '/v1/nothing',
      '/nothing',
    ]) {
      expect((await call(running, 'GET', path, { as: 'admin' })).status, path).toBe(404);
    }
    const answer = await call(running, 'POST', '/v1/incidents/nope/acknowledge', { as: 'admin', json: {} });
    expect(answer.body).toMatchObject({ status: 404, detail: 'there is no incident nope' });
  });

  test('what is not available says when to ask again', async () => {
    const act = async () => {
      throw unavailable('the disk is full');
    };
    await up(world({ deps: { act } }));
    const answer = await call(running, 'POST', '/v1/incidents/inc-2041/acknowledge', { as: 'admin', json: {} });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('5');
  });

  test('a bug tells people nothing but an id, and the log everything', async () => {
    const act = async () => {
      throw new Error('secret connection string');
    };
    await up(world({ deps: { act } }));
    const answer = await call(running, 'POST', '/v1/incidents/inc-2041/acknowledge', { as: 'admin', json: {} });
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('secret');
    const logged = w.logged.find((line) => line.level === 'error')!;
    expect(answer.body.instance).toBe(`urn:uuid:${(logged.fields as { errorId: string }).errorId}`);
  });

  test('a body that is not JSON, too large, compressed or of another type', async () => {
    await up();
    const post = (body: string, type: string, headers = {}) =>
      fetch(`${running.url}/v1/incidents/inc-2041/dismiss`, {
        method: 'POST',
        body,
        headers: { authorization: 'Bearer adam-token', 'content-type': type, ...headers },
      });
    expect((await post('{', 'application/json')).status).toBe(400);
    expect((await post(JSON.stringify({ reason: 'x'.repeat(200_000) }), 'application/json')).status).toBe(413);
    expect((await post('reason=x', 'application/x-www-form-urlencoded')).status).toBe(415);
    expect((await post('x', 'application/json', { 'content-encoding': 'gzip' })).status).toBe(415);
    expect((await post('[]', 'application/json')).status).toBe(400);
    expect((await post('{"reason":"x","__proto__":{"y":1}}', 'application/json')).status).toBe(400);
    expect(w.acts).toEqual([]);
  });
});

describe('signals', () => {
  test('a report becomes a declared incident in the name of who sent it', async () => {
    await up();
    const json = {
      airflow: 'prod',
      dag_id: 'orders_etl',
      kind: 'quality',
      run_id: 'r1',
      title: 'row count fell by 80 %',
      note: 'soda check',
    };
    const answer = await call(running, 'POST', '/v1/signals', { as: 'responder', json });
    expect(answer.status).toBe(202);
    expect(againstSpec('POST', '/v1/signals', answer)).toEqual([]);
    expect(w.acts).toEqual([
      {
        person: { name: 'rita', role: 'responder' },
        act: {
          kind: 'declare',
          airflow: 'prod',
          dagId: 'orders_etl',
          runId: 'r1',
          title: 'row count fell by 80 %',
          severity: null,
          incidentType: null,
          comment: 'reported as quality; soda check',
        },
      },
    ]);
  });
});

describe('hostile names', () => {
  const names = ['a b', 'a:b', 'a/b', '../../etc', 'äöü-订单', '<script>alert(1)</script>', '%2e%2e', "o'brien", 'a?b#c', '. .'];
  test.each(names)('a DAG called %j is found by exactly that name', async (name) => {
    await up();
    w.dags.set(`prod ${name}`, { ...w.dags.get('prod revenue_report')! });
    const answer = await call(running, 'GET', `/v1/dags/prod/${encodeURIComponent(name)}`, { as: 'viewer' });
    expect(answer.status).toBe(200);
    expect(answer.body.dag_id).toBe(name);
  });

  test('a name that does not decode is refused', async () => {
    await up();
    expect((await call(running, 'GET', '/v1/dags/prod/%ff', { as: 'viewer' })).status).toBe(400);
  });
});

describe('health', () => {
  test('healthz and readyz need no token; readyz tells strangers no details', async () => {
    const airflows = [
      {
        id: 'prod',
        version: null,
        state: 'unreachable' as const,
        detail: 'connect ECONNREFUSED 10.1.2.3:8080',
        lastPollAt: null,
        gaps: ['audit_log: 403'],
      },
    ];
    await up(
      world({ deps: { health: async () => ({ ...sample.HEALTHY, ready: false, reasons: ['shutting down'], airflows }) } }),
    );
    expect((await call(running, 'GET', '/healthz')).status).toBe(200);
    const stranger = await call(running, 'GET', '/readyz');
    expect(stranger.status).toBe(503);
    expect(stranger.text).not.toContain('10.1.2.3');
    expect(againstSpec('GET', '/readyz', stranger)).toEqual([]);
    expect((await call(running, 'GET', '/readyz', { as: 'viewer' })).text).toContain('10.1.2.3');
  });

  test('metrics are text for Prometheus, for people with a token', async () => {
    await up();
    expect((await call(running, 'GET', '/metrics')).status).toBe(401);
    const answer = await call(running, 'GET', '/metrics', { as: 'viewer' });
    expect(answer.type).toMatch(/^text\/plain; version=0.0.4/);
    expect(answer.text).toBe('firedamper_up 1\n');
  });
});
