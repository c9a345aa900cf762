export { type Part, type RunningAirflow, type StartOptions, startAirflow, stopAirflowIn } from './airflow.ts';
export { type AirflowVersion, ensureAirflow, type Installation } from './install.ts';
export { freePorts } from './ports.ts';
