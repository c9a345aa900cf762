import { describe, expect, it } from 'vitest';
import type { AirflowClient } from '../../src/airflow/client.ts';
import { siteLists } from '../../src/effects/siteLists.ts';

/** An Airflow whose list of DAGs is answered when the test says so; each answer is another list. */
function slowAirflow() {
  const asked: PromiseWithResolvers<unknown>[] = [];
  const client = {
    listAssets: async () => [],
    listDags: () => {
      const answer = Promise.withResolvers<unknown>();
      asked.push(answer);
      return answer.promise;
    },
  } as unknown as AirflowClient;
  const answer = (n: number) => asked[n]?.resolve([{ dagId: `of answer ${n}` }]);
  return { client, asked, answer, refuse: (n: number) => asked[n]?.reject(new Error(`refused ${n}`)) };
}
const told = async (reading: ReturnType<typeof siteLists>) => (await reading).dags.map((d) => d.dagId);
const aMoment = () => new Promise((resolve) => setImmediate(resolve));

describe('the lists of a site', () => {
  it('are read once for all who ask before the reading begins, and once more for all who ask while it goes on', async () => {
    const { client, asked, answer } = slowAirflow();
    const first = [told(siteLists(client)), told(siteLists(client))];
    await aMoment();
    const later = [told(siteLists(client)), told(siteLists(client)), told(siteLists(client))];
    await aMoment();
    expect(asked).toHaveLength(1);
    answer(0);
    expect(await Promise.all(first)).toEqual([['of answer 0'], ['of answer 0']]);
    await aMoment();
    answer(1);
    expect(await Promise.all(later)).toEqual([['of answer 1'], ['of answer 1'], ['of answer 1']]);
    expect(asked).toHaveLength(2);
  });

  it('are read anew after they were refused, and who asked meanwhile is not refused with them', async () => {
    const { client, answer, refuse } = slowAirflow();
    const first = told(siteLists(client));
    await aMoment();
    const later = told(siteLists(client));
    refuse(0);
    await expect(first).rejects.toThrow('refused 0');
    await aMoment();
    answer(1);
    expect(await later).toEqual(['of answer 1']);
  });

  it('of one Airflow are not those of another', async () => {
    const [one, other] = [slowAirflow(), slowAirflow()];
    const both = [siteLists(one.client), siteLists(other.client)];
    await aMoment();
    one.answer(0);
    other.answer(0);
    await Promise.all(both);
    expect([one.asked.length, other.asked.length]).toEqual([1, 1]);
  });
});
