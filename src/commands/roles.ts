/** How to give Firedamper an account of its own in Airflow, with just the rights that it needs. */

export interface RoleRecipe {
  readonly title: string;
  /** Shell lines, to be run where the `airflow` command reaches Airflow's own database. */
  readonly commands: readonly string[];
  readonly note: string;
}

/** One recipe per way in which this generation of Airflow keeps its accounts; both generations where it is not known. */
export function roleRecipes(generation: 2 | 3 | null, account: string): readonly RoleRecipe[] {
  if (generation === 2) return [fab2(account)];
  if (generation === 3) return [fab3(account), simple(account)];
  return [fab2(account), fab3(account), simple(account)];
}

const ROLE = 'Firedamper';

interface Names {
  readonly read: string;
  readonly edit: string;
  readonly create: string;
}

const fab = (account: string, names: Names): readonly string[] => [
  `airflow roles create ${ROLE}`,
  `airflow roles add-perms ${ROLE} -a can_read -r Website DAGs "DAG Runs" "Task Instances" "DAG Dependencies" "Audit Logs" ImportError ${names.read}`,
  `airflow roles add-perms ${ROLE} -a can_edit -r DAGs "DAG Runs" "Task Instances"${names.edit}`,
  `airflow roles add-perms ${ROLE} -a can_create -r "DAG Runs" ${names.create}`,
  `airflow users create --role ${ROLE} --username ${shellWord(account)} --firstname Firedamper --lastname Service --email firedamper@example.com`,
];

/** Run as they are on 2.11.2: every right that `check` asks for was there afterwards, and no other role was needed. */
const fab2 = (account: string): RoleRecipe => ({
  title: 'Airflow 2 (asks for the password of the new account)',
  commands: fab(account, { read: 'Datasets', edit: '', create: 'Datasets' }),
  note: 'The API must take user name and password: AIRFLOW__API__AUTH_BACKENDS must name basic_auth, and session for the cheaper log-in.',
});

/**
 * Run as they are on 3.3.2 with FAB provider 3.9.0. `GET /assets` wants the right to read asset aliases too (without it: 403). Backfills
 * were a right of their own before 3.1.8, and belong to DAG runs since.
 */
const fab3 = (account: string): RoleRecipe => ({
  title: 'Airflow 3 with the FAB auth manager (asks for the password of the new account)',
  commands: fab(account, { read: 'Assets "Asset Aliases" Backfills', edit: ' Backfills', create: 'Assets Backfills' }),
  note: 'The commands come with the package apache-airflow-providers-fab.',
});

const simple = (account: string): RoleRecipe => ({
  title: 'Airflow 3 with the SimpleAuthManager (the default)',
  commands: [
    `export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS="admin:admin,${account}:op"   # keep the users that you have, then restart the API server`,
  ],
  note: 'Airflow makes the password and keeps it in simple_auth_manager_passwords.json.generated. The role op is the least that may deliver asset events.',
});

const shellWord = (text: string): string => (/^[\w.@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
