-- A database of schema 1 as the program left it when it was stopped: one incident resolved, two open with holds, one callback in quarantine.
-- Frozen: what was written by a program that people run is never edited.
CREATE TABLE incidents (
  id          text primary key,
  airflow     text not null,
  dag_id      text not null,
  status      text not null check (status in ('open','contained','repairing','verifying','monitoring','resolved','dismissed')),
  -- 1 while the incident still takes part in decisions (not over, or something of it is still to be let go or delivered)
  live        integer not null check (live in (0, 1)),
  opened_at   text not null,
  released_at text,
  n           integer not null unique,
  doc         text not null check (json_valid(doc))
) strict;
CREATE TABLE holds (
  id           text primary key,
  n            integer not null unique,
  incident_id  text not null references incidents (id),
  airflow      text not null,
  dag_id       text not null,
  state        text not null check (state in ('intended','held','foreign','ceded','release_intended','released')),
  found_paused integer check (found_paused in (0, 1)),
  reason       text not null check (json_valid(reason)),
  path         text not null check (json_valid(path)),
  link         text not null,
  depth        integer not null,
  since        text not null,
  review_by    text not null,
  review_asked integer not null check (review_asked in (0, 1)),
  released_at  text
) strict;
CREATE TABLE ownerships (
  airflow      text not null,
  dag_id       text not null,
  state        text not null check (state in ('none','pause_intended','ours','resume_intended','foreign','ceded')),
  op           text,
  audit_cursor integer,
  since        text,
  uncertain    integer not null check (uncertain in (0, 1)),
  found_paused integer check (found_paused in (0, 1)),
  ops          text not null check (json_valid(ops)),
  primary key (airflow, dag_id)
) strict;
CREATE TABLE repairs (
  id          text primary key,
  n           integer not null unique,
  incident_id text not null references incidents (id),
  airflow     text not null,
  state       text not null check (state in ('planning','proposed','approved','running','succeeded','failed','lapsed','rejected','cancelled')),
  doc         text not null check (json_valid(doc))
) strict;
CREATE TABLE intents (
  id         text primary key,
  n          integer not null unique,
  kind       text not null,
  state      text not null check (state in ('planned','sending','done','failed','unknown','dropped')),
  act        text not null check (json_valid(act)),
  op         text not null unique,
  attempts   integer not null,
  created_at text not null,
  due_at     text not null,
  last_error text
) strict;
CREATE TABLE signals (
  id          text primary key,
  n           integer not null unique,
  key         text not null,
  airflow     text not null,
  dag_id      text not null,
  origin      text not null,
  incident_id text,
  heard_at    text not null,
  doc         text not null check (json_valid(doc)),
  -- the same failure heard twice by the same way is one row; heard by callback and by poll it is two
  unique (key, origin)
) strict;
CREATE TABLE timeline (
  id          integer primary key autoincrement,
  incident_id text,
  at          text not null,
  actor       text not null check (json_valid(actor)),
  event       text not null,
  subject     text,
  reason      text not null check (json_valid(reason)),
  comment     text
) strict;
CREATE TABLE inbox (
  n           integer primary key autoincrement,
  airflow     text not null,
  webhook_id  text not null,
  dedupe_key  text,
  body        text not null,
  received_at text not null,
  quarantine  text,
  done        integer not null check (done in (0, 1)),
  unique (airflow, webhook_id)
) strict;
CREATE TABLE watermarks (
  airflow  text primary key,
  since    text,
  -- what failed before this is history: it was there before Firedamper was
  baseline text not null
) strict;
CREATE TABLE seen (
  airflow text not null,
  key     text not null,
  seen_at text not null,
  primary key (airflow, key)
) strict, without rowid;
CREATE TABLE counters (
  kind text primary key,
  n    integer not null
) strict;
CREATE TABLE facts (
  airflow text not null,
  kind    text not null check (kind in ('dags', 'lineage')),
  read_at text not null,
  doc     text not null check (json_valid(doc)),
  primary key (airflow, kind)
) strict;
CREATE INDEX incidents_live on incidents (live) where live = 1;
CREATE INDEX incidents_cause on incidents (airflow, dag_id, released_at);
CREATE INDEX holds_open on holds (airflow, dag_id) where released_at is null;
CREATE INDEX holds_incident on holds (incident_id);
CREATE INDEX repairs_incident on repairs (incident_id);
CREATE INDEX intents_open on intents (state, due_at) where state in ('planned', 'sending', 'unknown');
CREATE INDEX signals_incident on signals (incident_id);
CREATE INDEX signals_dag on signals (airflow, dag_id, n);
CREATE INDEX timeline_incident on timeline (incident_id, id);
CREATE INDEX inbox_open on inbox (n) where done = 0;
insert into incidents (id, airflow, dag_id, status, live, opened_at, released_at, n, doc) values ('inc-1', 'prod', 'a', 'contained', 1, '2026-11-21T07:32:43.656Z', null, 1, '{"id":"inc-1","airflow":"prod","dagId":"a","type":"pipeline_failure","severity":"P2","rule":"a failed DAG is a pipeline_failure; P2 because neither it nor anything downstream is tagged tier:1","title":"make of a failed","runs":[{"dagId":"a","runId":"r1","role":"cause","state":"healed","runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:32:43.631Z","failedTasks":["make"],"failedAt":"2026-11-21T07:32:43.632Z"},{"dagId":"a","runId":"r2","role":"cause","state":"failed","runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:32:47.120Z","failedTasks":["make"],"failedAt":"2026-11-21T07:32:47.122Z"}],"status":"contained","statusReason":{"code":"contained","detail":{}},"mode":"armed","spared":[],"gaps":[],"deliveries":[],"timestamps":{"reopenedAt":"2026-11-21T07:32:47.156Z","acknowledgedAt":null,"containedAt":"2026-11-21T07:32:47.573Z","fixedAt":null,"repairedAt":null,"verifiedAt":null,"releasedAt":null,"resolvedAt":null,"dismissedAt":null,"failedAt":"2026-11-21T07:32:43.632Z","openedAt":"2026-11-21T07:32:43.656Z"},"acknowledgedBy":null,"fixedBy":null,"surveyPending":false,"releasing":false}');
insert into incidents (id, airflow, dag_id, status, live, opened_at, released_at, n, doc) values ('inc-2', 'prod', 'd', 'contained', 1, '2026-11-21T07:32:46.810Z', null, 2, '{"id":"inc-2","airflow":"prod","dagId":"d","type":"pipeline_failure","severity":"P2","rule":"a failed DAG is a pipeline_failure; P2 because neither it nor anything downstream is tagged tier:1","title":"make of d failed","runs":[{"dagId":"d","runId":"r1","role":"cause","state":"failed","runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:32:46.759Z","failedTasks":["make"],"failedAt":"2026-11-21T07:32:46.790Z"}],"status":"contained","statusReason":{"code":"contained","detail":{}},"mode":"armed","spared":[],"gaps":[],"deliveries":[],"timestamps":{"reopenedAt":null,"acknowledgedAt":null,"containedAt":"2026-11-21T07:32:47.022Z","fixedAt":null,"repairedAt":null,"verifiedAt":null,"releasedAt":null,"resolvedAt":null,"dismissedAt":null,"failedAt":"2026-11-21T07:32:46.790Z","openedAt":"2026-11-21T07:32:46.810Z"},"acknowledgedBy":null,"fixedBy":null,"surveyPending":false,"releasing":false}');
insert into holds (id, n, incident_id, airflow, dag_id, state, found_paused, reason, path, link, depth, since, review_by, review_asked, released_at) values ('hold-1', 1, 'inc-1', 'prod', 'b', 'released', 0, '{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b"}}', '["a -(asset s3://a)-> b"]', 'asset', 1, '2026-11-21T07:32:43.968Z', '2026-11-22T07:32:43.968Z', 0, '2026-11-21T07:32:46.406Z');
insert into holds (id, n, incident_id, airflow, dag_id, state, found_paused, reason, path, link, depth, since, review_by, review_asked, released_at) values ('hold-2', 2, 'inc-1', 'prod', 'c', 'released', 0, '{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b, b -(asset s3://b)-> c"}}', '["a -(asset s3://a)-> b","b -(asset s3://b)-> c"]', 'asset', 2, '2026-11-21T07:32:43.968Z', '2026-11-22T07:32:43.968Z', 0, '2026-11-21T07:32:46.427Z');
insert into holds (id, n, incident_id, airflow, dag_id, state, found_paused, reason, path, link, depth, since, review_by, review_asked, released_at) values ('hold-3', 3, 'inc-2', 'prod', 'e', 'foreign', 1, '{"code":"downstream","detail":{"path":"d -(asset s3://d)-> e"}}', '["d -(asset s3://d)-> e"]', 'asset', 1, '2026-11-21T07:32:47.022Z', '2026-11-22T07:32:47.022Z', 0, null);
insert into holds (id, n, incident_id, airflow, dag_id, state, found_paused, reason, path, link, depth, since, review_by, review_asked, released_at) values ('hold-4', 4, 'inc-1', 'prod', 'b', 'held', 0, '{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b"}}', '["a -(asset s3://a)-> b"]', 'asset', 1, '2026-11-21T07:32:47.381Z', '2026-11-22T07:32:47.381Z', 0, null);
insert into holds (id, n, incident_id, airflow, dag_id, state, found_paused, reason, path, link, depth, since, review_by, review_asked, released_at) values ('hold-5', 5, 'inc-1', 'prod', 'c', 'held', 0, '{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b, b -(asset s3://b)-> c"}}', '["a -(asset s3://a)-> b","b -(asset s3://b)-> c"]', 'asset', 2, '2026-11-21T07:32:47.381Z', '2026-11-22T07:32:47.381Z', 0, null);
insert into ownerships (airflow, dag_id, state, op, audit_cursor, since, uncertain, found_paused, ops) values ('prod', 'b', 'ours', 'fd-21-79173071156c', 11, '2026-11-21T07:32:47.381Z', 0, 0, '["fd-21-79173071156c"]');
insert into ownerships (airflow, dag_id, state, op, audit_cursor, since, uncertain, found_paused, ops) values ('prod', 'c', 'ours', 'fd-22-79173071156c', 11, '2026-11-21T07:32:47.381Z', 0, 0, '["fd-22-79173071156c"]');
insert into ownerships (airflow, dag_id, state, op, audit_cursor, since, uncertain, found_paused, ops) values ('prod', 'e', 'foreign', null, null, '2026-11-21T07:32:47.022Z', 0, 1, '[]');
insert into repairs (id, n, incident_id, airflow, state, doc) values ('rep-1', 1, 'inc-1', 'prod', 'succeeded', '{"id":"rep-1","incidentId":"inc-1","airflow":"prod","state":"succeeded","stateReason":{"code":"repair_succeeded","detail":{}},"steps":[{"n":1,"dagId":"a","wave":0,"stage":"all","request":{"kind":"clear","runId":"r1","logicalDate":null,"tasks":["make"],"runStart":"2026-11-21T07:32:43.631Z"},"runs":[{"runId":"r1","logicalDate":null,"startBefore":"2026-11-21T07:32:43.631Z","tasks":[{"taskId":"make","mapIndex":-1}]}],"dryRun":"airflow","state":"succeeded","reason":{"code":"step_succeeded","detail":{}},"progress":[{"runId":"r1","logicalDate":null,"state":"success"}],"startedAt":"2026-11-21T07:32:45.120Z","endedAt":"2026-11-21T07:32:45.509Z"}],"digest":"93d4bcbec10d610f61c870065e7d91421864f22bfcbbfc788ae2ff420e383ce1","warnings":[],"requestedBy":"rita","createdAt":"2026-11-21T07:32:44.284Z","expiresAt":"2026-11-21T08:02:44.523Z","approval":{"by":"ann","role":"approver","at":"2026-11-21T07:32:44.897Z","comment":"go","digest":"93d4bcbec10d610f61c870065e7d91421864f22bfcbbfc788ae2ff420e383ce1"},"endedAt":"2026-11-21T07:32:45.509Z","stuckTold":false}');
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-1', 1, 'send_notice', 'done', '{"kind":"send_notice","channel":"log","incidentId":"inc-1","event":"opened","subject":"a"}', 'fd-1-73b6119bee2a', 1, '2026-11-21T07:32:43.656Z', '2026-11-21T07:32:43.656Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-2', 2, 'survey', 'done', '{"kind":"survey","airflow":"prod","incidentId":"inc-1"}', 'fd-2-73b6119bee2a', 0, '2026-11-21T07:32:43.656Z', '2026-11-21T07:32:43.656Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-3', 3, 'pause_dag', 'done', '{"kind":"pause_dag","airflow":"prod","dagId":"b"}', 'fd-3-27fc28f593cf', 1, '2026-11-21T07:32:43.968Z', '2026-11-21T07:32:43.968Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-4', 4, 'pause_dag', 'done', '{"kind":"pause_dag","airflow":"prod","dagId":"c"}', 'fd-4-27fc28f593cf', 1, '2026-11-21T07:32:43.968Z', '2026-11-21T07:32:43.968Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-5', 5, 'survey', 'done', '{"kind":"survey","airflow":"prod","incidentId":"inc-1"}', 'fd-5-dd3671182301', 0, '2026-11-21T07:32:44.086Z', '2026-11-21T07:32:44.086Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-6', 6, 'send_notice', 'done', '{"kind":"send_notice","channel":"log","incidentId":"inc-1","event":"held","subject":"b, c"}', 'fd-6-060822c2ae3d', 1, '2026-11-21T07:32:44.221Z', '2026-11-21T07:32:44.221Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-7', 7, 'plan_repair', 'done', '{"kind":"plan_repair","airflow":"prod","repairId":"rep-1"}', 'fd-7-aab2ba330521', 0, '2026-11-21T07:32:44.284Z', '2026-11-21T07:32:44.284Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-8', 8, 'send_notice', 'done', '{"kind":"send_notice","channel":"log","incidentId":"inc-1","event":"approval","subject":"rep-1"}', 'fd-8-134152ad4d53', 1, '2026-11-21T07:32:44.523Z', '2026-11-21T07:32:44.523Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-9', 9, 'plan_repair', 'done', '{"kind":"plan_repair","airflow":"prod","repairId":"rep-1"}', 'fd-9-448e0c7525d1', 0, '2026-11-21T07:32:44.897Z', '2026-11-21T07:32:44.897Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-10', 10, 'repair_step', 'done', '{"kind":"repair_step","airflow":"prod","repairId":"rep-1","step":1}', 'fd-10-aed55d6db420', 1, '2026-11-21T07:32:45.120Z', '2026-11-21T07:32:45.120Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-11', 11, 'plan_release', 'done', '{"kind":"plan_release","airflow":"prod","incidentId":"inc-1"}', 'fd-11-29c0a825935e', 0, '2026-11-21T07:32:45.509Z', '2026-11-21T07:32:45.509Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-12', 12, 'unpause_dag', 'done', '{"kind":"unpause_dag","airflow":"prod","dagId":"b","forced":false}', 'fd-12-d2ae183c7431', 1, '2026-11-21T07:32:46.052Z', '2026-11-21T07:32:46.052Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-13', 13, 'unpause_dag', 'done', '{"kind":"unpause_dag","airflow":"prod","dagId":"c","forced":false}', 'fd-13-d2ae183c7431', 1, '2026-11-21T07:32:46.052Z', '2026-11-21T07:32:46.052Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-14', 14, 'deliver', 'done', '{"kind":"deliver","airflow":"prod","incidentId":"inc-1","delivery":{"how":"event","assetKey":"1","uri":"s3://a","dagIds":["b"]}}', 'fd-14-5996c8d68e3b', 1, '2026-11-21T07:32:46.427Z', '2026-11-21T07:32:46.427Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-15', 15, 'send_notice', 'done', '{"kind":"send_notice","channel":"log","incidentId":"inc-1","event":"resolved","subject":"a"}', 'fd-15-13a57e047058', 1, '2026-11-21T07:32:46.638Z', '2026-11-21T07:32:46.638Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-16', 16, 'send_notice', 'done', '{"kind":"send_notice","channel":"log","incidentId":"inc-2","event":"opened","subject":"d"}', 'fd-16-973dbba8514d', 1, '2026-11-21T07:32:46.810Z', '2026-11-21T07:32:46.810Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-17', 17, 'survey', 'done', '{"kind":"survey","airflow":"prod","incidentId":"inc-2"}', 'fd-17-973dbba8514d', 0, '2026-11-21T07:32:46.810Z', '2026-11-21T07:32:46.810Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-18', 18, 'send_notice', 'done', '{"kind":"send_notice","channel":"log","incidentId":"inc-2","event":"held","subject":"e"}', 'fd-18-9292ce0b1af8', 1, '2026-11-21T07:32:47.022Z', '2026-11-21T07:32:47.022Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-19', 19, 'send_notice', 'done', '{"kind":"send_notice","channel":"log","incidentId":"inc-1","event":"opened","subject":"a"}', 'fd-19-582530f9951a', 1, '2026-11-21T07:32:47.156Z', '2026-11-21T07:32:47.156Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-20', 20, 'survey', 'done', '{"kind":"survey","airflow":"prod","incidentId":"inc-1"}', 'fd-20-582530f9951a', 0, '2026-11-21T07:32:47.156Z', '2026-11-21T07:32:47.156Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-21', 21, 'pause_dag', 'done', '{"kind":"pause_dag","airflow":"prod","dagId":"b"}', 'fd-21-79173071156c', 1, '2026-11-21T07:32:47.381Z', '2026-11-21T07:32:47.381Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-22', 22, 'pause_dag', 'done', '{"kind":"pause_dag","airflow":"prod","dagId":"c"}', 'fd-22-79173071156c', 1, '2026-11-21T07:32:47.381Z', '2026-11-21T07:32:47.381Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-23', 23, 'survey', 'done', '{"kind":"survey","airflow":"prod","incidentId":"inc-2"}', 'fd-23-652045bddadf', 0, '2026-11-21T07:32:47.493Z', '2026-11-21T07:32:47.493Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-24', 24, 'survey', 'done', '{"kind":"survey","airflow":"prod","incidentId":"inc-1"}', 'fd-24-652045bddadf', 0, '2026-11-21T07:32:47.493Z', '2026-11-21T07:32:47.493Z', null);
insert into intents (id, n, kind, state, act, op, attempts, created_at, due_at, last_error) values ('int-25', 25, 'send_notice', 'done', '{"kind":"send_notice","channel":"log","incidentId":"inc-1","event":"held","subject":"b, c"}', 'fd-25-1885f48baadb', 1, '2026-11-21T07:32:47.573Z', '2026-11-21T07:32:47.573Z', null);
insert into signals (id, n, key, airflow, dag_id, origin, incident_id, heard_at, doc) values ('sig-1', 1, '["prod","a","r1","make",-1,1,"task_failed"]', 'prod', 'a', 'callback', 'inc-1', '2026-11-21T07:32:43.656Z', '{"key":"[\"prod\",\"a\",\"r1\",\"make\",-1,1,\"task_failed\"]","airflow":"prod","kind":"task_failed","origin":"callback","dagId":"a","runId":"r1","taskId":"make","mapIndex":-1,"tryNumber":1,"runType":null,"logicalDate":null,"runStart":null,"occurredAt":"2026-11-21T07:32:43.632Z","text":"ValueError: broken","logUrl":null,"id":"sig-1","heardAt":"2026-11-21T07:32:43.656Z","incidentId":"inc-1","outcome":"task make of run r1 failed for good"}');
insert into signals (id, n, key, airflow, dag_id, origin, incident_id, heard_at, doc) values ('sig-2', 2, '["prod","a","r1","make",-1,1,"task_failed"]', 'prod', 'a', 'poll', 'inc-1', '2026-11-21T07:32:44.081Z', '{"key":"[\"prod\",\"a\",\"r1\",\"make\",-1,1,\"task_failed\"]","airflow":"prod","kind":"task_failed","origin":"poll","dagId":"a","runId":"r1","taskId":"make","mapIndex":-1,"tryNumber":1,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:32:43.631Z","occurredAt":"2026-11-21T07:32:43.631Z","text":null,"logUrl":null,"id":"sig-2","heardAt":"2026-11-21T07:32:44.081Z","incidentId":"inc-1","outcome":"this failure is already known"}');
insert into signals (id, n, key, airflow, dag_id, origin, incident_id, heard_at, doc) values ('sig-3', 3, '["prod","a","r1",null,-1,"2026-11-21T07:32:43.631Z","run_failed"]', 'prod', 'a', 'poll', 'inc-1', '2026-11-21T07:32:44.086Z', '{"key":"[\"prod\",\"a\",\"r1\",null,-1,\"2026-11-21T07:32:43.631Z\",\"run_failed\"]","airflow":"prod","kind":"run_failed","origin":"poll","dagId":"a","runId":"r1","taskId":null,"mapIndex":-1,"tryNumber":null,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:32:43.631Z","occurredAt":"2026-11-21T07:32:43.631Z","text":null,"logUrl":null,"id":"sig-3","heardAt":"2026-11-21T07:32:44.086Z","incidentId":"inc-1","outcome":"another failure of the same cause"}');
insert into signals (id, n, key, airflow, dag_id, origin, incident_id, heard_at, doc) values ('sig-4', 4, '["prod","d","r1","make",-1,1,"task_failed"]', 'prod', 'd', 'callback', 'inc-2', '2026-11-21T07:32:46.810Z', '{"key":"[\"prod\",\"d\",\"r1\",\"make\",-1,1,\"task_failed\"]","airflow":"prod","kind":"task_failed","origin":"callback","dagId":"d","runId":"r1","taskId":"make","mapIndex":-1,"tryNumber":1,"runType":null,"logicalDate":null,"runStart":null,"occurredAt":"2026-11-21T07:32:46.790Z","text":"ValueError: broken","logUrl":null,"id":"sig-4","heardAt":"2026-11-21T07:32:46.810Z","incidentId":"inc-2","outcome":"task make of run r1 failed for good"}');
insert into signals (id, n, key, airflow, dag_id, origin, incident_id, heard_at, doc) values ('sig-5', 5, '["prod","a","r2","make",-1,1,"task_failed"]', 'prod', 'a', 'callback', 'inc-1', '2026-11-21T07:32:47.156Z', '{"key":"[\"prod\",\"a\",\"r2\",\"make\",-1,1,\"task_failed\"]","airflow":"prod","kind":"task_failed","origin":"callback","dagId":"a","runId":"r2","taskId":"make","mapIndex":-1,"tryNumber":1,"runType":null,"logicalDate":null,"runStart":null,"occurredAt":"2026-11-21T07:32:47.122Z","text":"ValueError: broken","logUrl":null,"id":"sig-5","heardAt":"2026-11-21T07:32:47.156Z","incidentId":"inc-1","outcome":"the same cause failed again within the monitoring time"}');
insert into signals (id, n, key, airflow, dag_id, origin, incident_id, heard_at, doc) values ('sig-6', 6, '["prod","d","r1","make",-1,1,"task_failed"]', 'prod', 'd', 'poll', 'inc-2', '2026-11-21T07:32:47.467Z', '{"key":"[\"prod\",\"d\",\"r1\",\"make\",-1,1,\"task_failed\"]","airflow":"prod","kind":"task_failed","origin":"poll","dagId":"d","runId":"r1","taskId":"make","mapIndex":-1,"tryNumber":1,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:32:46.759Z","occurredAt":"2026-11-21T07:32:46.759Z","text":null,"logUrl":null,"id":"sig-6","heardAt":"2026-11-21T07:32:47.467Z","incidentId":"inc-2","outcome":"this failure is already known"}');
insert into signals (id, n, key, airflow, dag_id, origin, incident_id, heard_at, doc) values ('sig-7', 7, '["prod","a","r2","make",-1,1,"task_failed"]', 'prod', 'a', 'poll', 'inc-1', '2026-11-21T07:32:47.493Z', '{"key":"[\"prod\",\"a\",\"r2\",\"make\",-1,1,\"task_failed\"]","airflow":"prod","kind":"task_failed","origin":"poll","dagId":"a","runId":"r2","taskId":"make","mapIndex":-1,"tryNumber":1,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:32:47.120Z","occurredAt":"2026-11-21T07:32:47.120Z","text":null,"logUrl":null,"id":"sig-7","heardAt":"2026-11-21T07:32:47.493Z","incidentId":"inc-1","outcome":"this failure is already known"}');
insert into signals (id, n, key, airflow, dag_id, origin, incident_id, heard_at, doc) values ('sig-8', 8, '["prod","d","r1",null,-1,"2026-11-21T07:32:46.759Z","run_failed"]', 'prod', 'd', 'poll', 'inc-2', '2026-11-21T07:32:47.493Z', '{"key":"[\"prod\",\"d\",\"r1\",null,-1,\"2026-11-21T07:32:46.759Z\",\"run_failed\"]","airflow":"prod","kind":"run_failed","origin":"poll","dagId":"d","runId":"r1","taskId":null,"mapIndex":-1,"tryNumber":null,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:32:46.759Z","occurredAt":"2026-11-21T07:32:46.759Z","text":null,"logUrl":null,"id":"sig-8","heardAt":"2026-11-21T07:32:47.493Z","incidentId":"inc-2","outcome":"another failure of the same cause"}');
insert into signals (id, n, key, airflow, dag_id, origin, incident_id, heard_at, doc) values ('sig-9', 9, '["prod","a","r2",null,-1,"2026-11-21T07:32:47.120Z","run_failed"]', 'prod', 'a', 'poll', 'inc-1', '2026-11-21T07:32:47.493Z', '{"key":"[\"prod\",\"a\",\"r2\",null,-1,\"2026-11-21T07:32:47.120Z\",\"run_failed\"]","airflow":"prod","kind":"run_failed","origin":"poll","dagId":"a","runId":"r2","taskId":null,"mapIndex":-1,"tryNumber":null,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:32:47.120Z","occurredAt":"2026-11-21T07:32:47.120Z","text":null,"logUrl":null,"id":"sig-9","heardAt":"2026-11-21T07:32:47.493Z","incidentId":"inc-1","outcome":"another failure of the same cause"}');
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (1, 'inc-1', '2026-11-21T07:32:43.656Z', '{"kind":"airflow"}', 'incident.opened', 'a', '{"code":"failure_final","detail":{"task":"make","run":"r1"}}', 'ValueError: broken');
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (2, 'inc-1', '2026-11-21T07:32:43.968Z', '{"kind":"firedamper"}', 'hold.intended', 'b', '{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b"}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (3, 'inc-1', '2026-11-21T07:32:43.968Z', '{"kind":"firedamper"}', 'hold.intended', 'c', '{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b, b -(asset s3://b)-> c"}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (4, 'inc-1', '2026-11-21T07:32:44.086Z', '{"kind":"airflow"}', 'signal.joined', 'a r1', '{"code":"run_failed","detail":{"run":"r1"}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (5, 'inc-1', '2026-11-21T07:32:44.216Z', '{"kind":"firedamper"}', 'hold.held', 'b', '{"code":"paused","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (6, 'inc-1', '2026-11-21T07:32:44.221Z', '{"kind":"firedamper"}', 'hold.held', 'c', '{"code":"paused","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (7, 'inc-1', '2026-11-21T07:32:44.221Z', '{"kind":"firedamper"}', 'incident.contained', 'a', '{"code":"contained","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (8, 'inc-1', '2026-11-21T07:32:44.284Z', '{"kind":"person","name":"rita"}', 'incident.fixed', 'a', '{"code":"marked_fixed","detail":{}}', 'mended');
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (9, 'inc-1', '2026-11-21T07:32:44.284Z', '{"kind":"firedamper"}', 'repair.planning', 'rep-1', '{"code":"planning","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (10, 'inc-1', '2026-11-21T07:32:44.523Z', '{"kind":"firedamper"}', 'repair.proposed', 'rep-1', '{"code":"proposed","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (11, 'inc-1', '2026-11-21T07:32:44.897Z', '{"kind":"person","name":"ann"}', 'repair.approved', 'rep-1', '{"code":"approved","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (12, 'inc-1', '2026-11-21T07:32:45.120Z', '{"kind":"firedamper"}', 'repair.running', 'rep-1', '{"code":"approved","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (13, 'inc-1', '2026-11-21T07:32:45.120Z', '{"kind":"firedamper"}', 'incident.repairing', 'a', '{"code":"approved","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (14, 'inc-1', '2026-11-21T07:32:45.120Z', '{"kind":"firedamper"}', 'step.started', 'clear a r1', '{"code":"step_started","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (15, 'inc-1', '2026-11-21T07:32:45.509Z', '{"kind":"airflow"}', 'step.succeeded', 'clear a r1', '{"code":"step_succeeded","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (16, 'inc-1', '2026-11-21T07:32:45.509Z', '{"kind":"firedamper"}', 'repair.succeeded', 'rep-1', '{"code":"repair_succeeded","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (17, 'inc-1', '2026-11-21T07:32:45.509Z', '{"kind":"firedamper"}', 'incident.verifying', 'a', '{"code":"repair_succeeded","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (18, 'inc-1', '2026-11-21T07:32:45.509Z', '{"kind":"firedamper"}', 'incident.verified', 'a', '{"code":"verified_runs","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (19, 'inc-1', '2026-11-21T07:32:46.052Z', '{"kind":"firedamper"}', 'incident.monitoring', 'a', '{"code":"verified_runs","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (20, 'inc-1', '2026-11-21T07:32:46.052Z', '{"kind":"firedamper"}', 'hold.release_intended', 'b', '{"code":"verified_runs","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (21, 'inc-1', '2026-11-21T07:32:46.052Z', '{"kind":"firedamper"}', 'hold.release_intended', 'c', '{"code":"verified_runs","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (22, 'inc-1', '2026-11-21T07:32:46.406Z', '{"kind":"firedamper"}', 'hold.released', 'b', '{"code":"released","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (23, 'inc-1', '2026-11-21T07:32:46.427Z', '{"kind":"firedamper"}', 'hold.released', 'c', '{"code":"released","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (24, 'inc-1', '2026-11-21T07:32:46.574Z', '{"kind":"firedamper"}', 'delivery.done', 'b', '{"code":"delivered_event","detail":{"asset":"s3://a"}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (25, 'inc-1', '2026-11-21T07:32:46.638Z', '{"kind":"airflow"}', 'delivery.ran', 'b', '{"code":"ran_after_release","detail":{"run":"asset_triggered__2026-11-21T07:32:46.540Z_0"}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (26, 'inc-1', '2026-11-21T07:32:46.638Z', '{"kind":"airflow"}', 'delivery.ran', 'c', '{"code":"ran_after_release","detail":{"run":"asset_triggered__2026-11-21T07:32:46.540Z_0"}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (27, 'inc-1', '2026-11-21T07:32:46.638Z', '{"kind":"firedamper"}', 'incident.resolved', 'a', '{"code":"resolved","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (28, 'inc-2', '2026-11-21T07:32:46.810Z', '{"kind":"airflow"}', 'incident.opened', 'd', '{"code":"failure_final","detail":{"task":"make","run":"r1"}}', 'ValueError: broken');
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (29, 'inc-2', '2026-11-21T07:32:47.022Z', '{"kind":"firedamper"}', 'hold.intended', 'e', '{"code":"downstream","detail":{"path":"d -(asset s3://d)-> e"}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (30, 'inc-2', '2026-11-21T07:32:47.022Z', '{"kind":"firedamper"}', 'hold.foreign', 'e', '{"code":"already_paused","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (31, 'inc-2', '2026-11-21T07:32:47.022Z', '{"kind":"firedamper"}', 'incident.contained', 'd', '{"code":"contained","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (32, 'inc-1', '2026-11-21T07:32:47.156Z', '{"kind":"airflow"}', 'incident.reopened', 'a', '{"code":"reopened","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (33, 'inc-1', '2026-11-21T07:32:47.156Z', '{"kind":"firedamper"}', 'incident.open', 'a', '{"code":"reopened","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (34, 'inc-1', '2026-11-21T07:32:47.156Z', '{"kind":"airflow"}', 'signal.joined', 'a r2', '{"code":"failure_final","detail":{"task":"make","run":"r2"}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (35, 'inc-1', '2026-11-21T07:32:47.381Z', '{"kind":"firedamper"}', 'hold.intended', 'b', '{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b"}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (36, 'inc-1', '2026-11-21T07:32:47.381Z', '{"kind":"firedamper"}', 'hold.intended', 'c', '{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b, b -(asset s3://b)-> c"}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (37, 'inc-2', '2026-11-21T07:32:47.493Z', '{"kind":"airflow"}', 'signal.joined', 'd r1', '{"code":"run_failed","detail":{"run":"r1"}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (38, 'inc-1', '2026-11-21T07:32:47.493Z', '{"kind":"airflow"}', 'signal.joined', 'a r2', '{"code":"run_failed","detail":{"run":"r2"}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (39, 'inc-1', '2026-11-21T07:32:47.572Z', '{"kind":"firedamper"}', 'hold.held', 'b', '{"code":"paused","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (40, 'inc-1', '2026-11-21T07:32:47.573Z', '{"kind":"firedamper"}', 'hold.held', 'c', '{"code":"paused","detail":{}}', null);
insert into timeline (id, incident_id, at, actor, event, subject, reason, comment) values (41, 'inc-1', '2026-11-21T07:32:47.573Z', '{"kind":"firedamper"}', 'incident.contained', 'a', '{"code":"contained","detail":{}}', null);
insert into inbox (n, airflow, webhook_id, dedupe_key, body, received_at, quarantine, done) values (1, 'prod', 'cb-a-r1', '["prod","a","r1","make",-1,1,"task_failed"]', '{"version":1,"kind":"task_failed","dag_id":"a","run_id":"r1","task_id":"make","try_number":1,"occurred_at":"2026-11-21T07:32:43.632Z","exception":{"type":"ValueError","message":"broken"}}', '2026-11-21T07:32:43.647Z', null, 1);
insert into inbox (n, airflow, webhook_id, dedupe_key, body, received_at, quarantine, done) values (2, 'prod', 'cb-d-r1', '["prod","d","r1","make",-1,1,"task_failed"]', '{"version":1,"kind":"task_failed","dag_id":"d","run_id":"r1","task_id":"make","try_number":1,"occurred_at":"2026-11-21T07:32:46.790Z","exception":{"type":"ValueError","message":"broken"}}', '2026-11-21T07:32:46.798Z', null, 1);
insert into inbox (n, airflow, webhook_id, dedupe_key, body, received_at, quarantine, done) values (3, 'prod', 'cb-a-r2', '["prod","a","r2","make",-1,1,"task_failed"]', '{"version":1,"kind":"task_failed","dag_id":"a","run_id":"r2","task_id":"make","try_number":1,"occurred_at":"2026-11-21T07:32:47.122Z","exception":{"type":"ValueError","message":"broken"}}', '2026-11-21T07:32:47.127Z', null, 1);
insert into inbox (n, airflow, webhook_id, dedupe_key, body, received_at, quarantine, done) values (4, 'prod', 'cb-odd', null, '{"odd":true}', '2026-11-21T07:32:47.608Z', 'body: must have required property ''version''', 1);
insert into watermarks (airflow, since, baseline) values ('prod', '2026-11-21T07:32:47.212Z', '2026-11-21T07:32:39.075Z');
insert into seen (airflow, key, seen_at) values ('prod', '["prod","a","r1","make",-1,1,"task_failed"]', '2026-11-21T07:32:43.857Z');
insert into seen (airflow, key, seen_at) values ('prod', '["prod","a","r1",null,-1,"2026-11-21T07:32:43.631Z","run_failed"]', '2026-11-21T07:32:43.857Z');
insert into seen (airflow, key, seen_at) values ('prod', '["prod","a","r2","make",-1,1,"task_failed"]', '2026-11-21T07:32:47.212Z');
insert into seen (airflow, key, seen_at) values ('prod', '["prod","a","r2",null,-1,"2026-11-21T07:32:47.120Z","run_failed"]', '2026-11-21T07:32:47.212Z');
insert into seen (airflow, key, seen_at) values ('prod', '["prod","d","r1","make",-1,1,"task_failed"]', '2026-11-21T07:32:47.212Z');
insert into seen (airflow, key, seen_at) values ('prod', '["prod","d","r1",null,-1,"2026-11-21T07:32:46.759Z","run_failed"]', '2026-11-21T07:32:47.212Z');
insert into counters (kind, n) values ('inc', 2);
insert into counters (kind, n) values ('int', 25);
insert into counters (kind, n) values ('sig', 9);
insert into counters (kind, n) values ('hold', 5);
insert into counters (kind, n) values ('rep', 1);
insert into facts (airflow, kind, read_at, doc) values ('(configuration)', 'lineage', '2026-11-21T07:32:40.263Z', '{"airflow":"(configuration)","edges":[],"gaps":[],"seenAt":"2026-11-21T07:32:40.263Z"}');
insert into facts (airflow, kind, read_at, doc) values ('prod', 'dags', '2026-11-21T07:32:43.547Z', '[{"dagId":"a","paused":false,"tags":[],"owners":["airflow"],"timeScheduled":false,"assetScheduled":false,"schedule":null,"maxActiveRuns":16,"nextRunAfter":null,"nextLogicalDate":null},{"dagId":"b","paused":false,"tags":[],"owners":["airflow"],"timeScheduled":false,"assetScheduled":true,"schedule":"Asset","maxActiveRuns":16,"nextRunAfter":null,"nextLogicalDate":null},{"dagId":"c","paused":false,"tags":[],"owners":["airflow"],"timeScheduled":false,"assetScheduled":true,"schedule":"Asset","maxActiveRuns":16,"nextRunAfter":null,"nextLogicalDate":null},{"dagId":"d","paused":false,"tags":[],"owners":["airflow"],"timeScheduled":false,"assetScheduled":false,"schedule":null,"maxActiveRuns":16,"nextRunAfter":null,"nextLogicalDate":null},{"dagId":"e","paused":true,"tags":[],"owners":["airflow"],"timeScheduled":false,"assetScheduled":true,"schedule":"Asset","maxActiveRuns":16,"nextRunAfter":null,"nextLogicalDate":null}]');
insert into facts (airflow, kind, read_at, doc) values ('prod', 'lineage', '2026-11-21T07:32:43.585Z', '{"airflow":"prod","edges":[{"from":{"airflow":"prod","dagId":"a"},"to":{"airflow":"prod","dagId":"b"},"kind":"asset","via":"s3://a","fromTasks":["make"],"waits":false,"source":"assets"},{"from":{"airflow":"prod","dagId":"b"},"to":{"airflow":"prod","dagId":"c"},"kind":"asset","via":"s3://b","fromTasks":["make"],"waits":false,"source":"assets"},{"from":{"airflow":"prod","dagId":"d"},"to":{"airflow":"prod","dagId":"e"},"kind":"asset","via":"s3://d","fromTasks":["make"],"waits":false,"source":"assets"}],"gaps":[],"seenAt":"2026-11-21T07:32:43.547Z"}');
CREATE TRIGGER timeline_no_update before update on timeline begin select raise(abort, 'the timeline is append-only'); end;
CREATE TRIGGER timeline_no_delete before delete on timeline begin select raise(abort, 'the timeline is append-only'); end;
pragma user_version = 1;
