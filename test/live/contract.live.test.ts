/** The same contract that the fake is held to, against this project's real Airflow. */
import { inject } from 'vitest';
import { contract } from '../airflow/contract.ts';

contract('a real Airflow', async () => {
  const lab = inject('lab');
  const password = (name: string) => ({ name, password: lab.users[name] ?? '' });
  return {
    ...{ url: lab.url, version: lab.version, generation: lab.version.startsWith('3') ? 3 : 2, sessionLogin: true },
    ...{ patienceMs: 90_000, quietMs: 6_000, start: Date.parse(`${lab.start}T00:00:00Z`) },
    account: password('firedamper'),
    person: password('admin'),
  };
});
