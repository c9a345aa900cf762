import { afterAll } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { type ContractTarget, contract } from './contract.ts';
import { contractOutcome, contractStart, defineContractDags } from './contractDags.ts';

const started: FakeAirflow[] = [];
afterAll(async () => {
  for (const fake of started) await fake.close();
});

const fakeTarget = async (generation: 2 | 3, version: string, sessionLogin: boolean): Promise<ContractTarget> => {
  const fake = await startFakeAirflow({ generation, version, autoRun: true, outcome: contractOutcome });
  started.push(fake);
  defineContractDags(fake);
  return {
    ...{ url: fake.url, generation, version, sessionLogin, patienceMs: 3_000, quietMs: 25, start: contractStart() },
    account: { name: 'firedamper', password: 'firedamper' },
    person: { name: 'person', password: 'person' },
  };
};

contract('the fake 3.3.2', () => fakeTarget(3, '3.3.2', true));
contract('the fake 3.1.8', () => fakeTarget(3, '3.1.8', true));
contract('the fake 2.11.2, by session', () => fakeTarget(2, '2.11.2', true));
contract('the fake 2.11.2, by Basic', () => fakeTarget(2, '2.11.2', false));
