/** The DAGs of test/live/dags/contract_dags.py, for the fake. */
import type { FakeAirflow, FakeOptions } from '../support/fakeAirflow/index.ts';

const uri = (name: string) => `lab://contract/${name}`;
const day = 86_400_000;

export const contractStart = (now = Date.now()): number => Math.floor(now / day) * day - 12 * day;

export const defineContractDags = (fake: FakeAirflow): void => {
  fake
    .dag('contract_a', {
      tags: ['contract', 'tier:1'],
      timeoutSeconds: 600,
      catchup: false,
      tasks: {
        make: { downstream: ['after', 'call'], outlets: [uri('a1')] },
        after: {},
        call: { triggers: { dagId: 'contract_d' } },
        side: {},
      },
    })
    .dag('contract_b', { schedule: { assets: { all: [uri('a1')] } }, tasks: { work: {} } })
    .dag('contract_and', { schedule: { assets: { all: [uri('a1'), uri('x1')] } }, tasks: { work: {} } })
    .dag('contract_x', { tasks: { make: { outlets: [uri('x1')] } } })
    .dag('contract_e', { tasks: { wait_a: { waitsFor: { dagId: 'contract_a', taskIds: ['make'] } } } })
    .dag('contract_w', { tasks: { call_and_wait: { triggers: { dagId: 'contract_wd', wait: true } } } })
    .dag('contract_tpl', { tasks: { call_any: { triggers: { dagId: 'contract_d', templated: true } } } })
    .dag('contract_days', {
      schedule: { every: day, start: contractStart(), cron: '@daily' },
      paused: true,
      maxActiveRuns: 4,
      tasks: { load: {} },
    });
  for (const name of ['d', 'wd', 'free', 'bulk_1', 'bulk_2', 'Ütil_日本.x-1'])
    fake.dag(`contract_${name}`, { tasks: { work: {} } });
};

/** `{"fail_until_try": {"make": 2}}` in a run's conf, as the real DAGs read it. */
export const contractOutcome: NonNullable<FakeOptions['outcome']> = ({ taskId, tryNumber, conf }) => {
  const until = (conf.fail_until_try as Record<string, number> | undefined)?.[taskId] ?? 0;
  return tryNumber < until ? 'failed' : 'success';
};
