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

const fab = (account: string, assets: string): readonly string[] => [
  `airflow roles create ${ROLE}`,
  `airflow roles add-perms ${ROLE} -a can_read -r Website DAGs "DAG Runs" "Task Instances" ${assets} "DAG Dependencies" "Audit Logs"`,
  `airflow roles add-perms ${ROLE} -a can_edit -r DAGs "DAG Runs" "Task Instances"`,
  `airflow roles add-perms ${ROLE} -a can_create -r "DAG Runs" ${assets}`,
  `airflow users create --role ${ROLE} --username ${shellWord(account)} --firstname Firedamper --lastname Service --email firedamper@example.com`,
];

const fab2 = (account: string): RoleRecipe => ({
  title: 'Airflow 2 (asks for the password of the new account)',
  commands: fab(account, 'Datasets'),
  note: 'The API must take user name and password: AIRFLOW__API__AUTH_BACKENDS must name basic_auth, and session for the cheaper log-in.',
});

const fab3 = (account: string): RoleRecipe => ({
  title: 'Airflow 3 with the FAB auth manager (asks for the password of the new account)',
  commands: fab(account, 'Assets'),
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
