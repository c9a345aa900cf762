export { type Part, type RunningAirflow, type StartOptions, startAirflow, stopAirflowIn } from './airflow.ts';
export {
  AIRFLOW_VERSIONS,
  type AirflowVersion,
  ensureAirflow,
  type Installation,
  installPackageInto,
  isAirflowVersion,
  isThree,
} from './install.ts';
export { freePorts } from './ports.ts';
