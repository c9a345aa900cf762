-- A database of schema 4 as the program left it when it was stopped: that of schema 3, opened and closed by it.
-- Frozen: what was written by a program that people run is never edited.
CREATE TABLE counters (
  kind text primary key,
  n    integer not null
) strict;
CREATE TABLE "facts" (
  airflow text not null,
  kind    text not null check (kind in ('dags', 'lineage', 'broken_files')),
  read_at text not null,
  doc     text not null check (json_valid(doc)),
  primary key (airflow, kind)
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
CREATE TABLE seen (
  airflow text not null,
  key     text not null,
  seen_at text not null,
  primary key (airflow, key)
) strict, without rowid;
CREATE TABLE service (
  only_row    integer primary key check (only_row = 1),
  database_id text not null,
  -- raised at every start; a process whose epoch is not the file's any more may write nothing
  epoch       integer not null,
  -- set in a backup when it is made, never in the file that it was made of: whoever starts such a file starts a copy
  copied_at   text,
  -- until a person confirms: observe only
  restored    text check (json_valid(restored))
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
CREATE TABLE timeline_chain (
  id   integer primary key references timeline (id),
  hash text not null
) strict;
CREATE TABLE watermarks (
  airflow  text primary key,
  since    text,
  -- what failed before this is history: it was there before Firedamper was
  baseline text not null
) strict;
INSERT INTO "incidents" VALUES('inc-1','prod','a','contained',1,'2026-11-21T07:55:19.295Z',NULL,1,'{"id":"inc-1","airflow":"prod","dagId":"a","type":"pipeline_failure","severity":"P2","rule":"a failed DAG is a pipeline_failure; P2 because neither it nor anything downstream is tagged tier:1","ruledBy":"policy","title":"make of a failed","runs":[{"dagId":"a","runId":"r1","role":"cause","state":"healed","badData":false,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:55:19.268Z","failedTasks":["make"],"failedAt":"2026-11-21T07:55:19.269Z"},{"dagId":"a","runId":"r2","role":"cause","state":"failed","badData":false,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:55:20.111Z","failedTasks":["make"],"failedAt":"2026-11-21T07:55:20.113Z"}],"status":"contained","statusReason":{"code":"contained","detail":{}},"mode":"armed","spared":[],"gaps":[],"deliveries":[],"timestamps":{"reopenedAt":"2026-11-21T07:55:20.118Z","acknowledgedAt":null,"containedAt":"2026-11-21T07:55:20.276Z","fixedAt":null,"repairedAt":null,"verifiedAt":null,"releasedAt":null,"resolvedAt":null,"dismissedAt":null,"failedAt":"2026-11-21T07:55:19.269Z","openedAt":"2026-11-21T07:55:19.295Z"},"acknowledgedBy":null,"fixedBy":null,"surveyPending":false,"releasing":false}');
INSERT INTO "incidents" VALUES('inc-2','prod','d','contained',1,'2026-11-21T07:55:20.090Z',NULL,2,'{"id":"inc-2","airflow":"prod","dagId":"d","type":"pipeline_failure","severity":"P2","rule":"a failed DAG is a pipeline_failure; P2 because neither it nor anything downstream is tagged tier:1","ruledBy":"policy","title":"make of d failed","runs":[{"dagId":"d","runId":"r1","role":"cause","state":"failed","badData":false,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:55:20.085Z","failedTasks":["make"],"failedAt":"2026-11-21T07:55:20.087Z"}],"status":"contained","statusReason":{"code":"contained","detail":{}},"mode":"armed","spared":[],"gaps":[],"deliveries":[],"timestamps":{"reopenedAt":null,"acknowledgedAt":null,"containedAt":"2026-11-21T07:55:20.105Z","fixedAt":null,"repairedAt":null,"verifiedAt":null,"releasedAt":null,"resolvedAt":null,"dismissedAt":null,"failedAt":"2026-11-21T07:55:20.087Z","openedAt":"2026-11-21T07:55:20.090Z"},"acknowledgedBy":null,"fixedBy":null,"surveyPending":false,"releasing":false}');
INSERT INTO "counters" VALUES('inc',2);
INSERT INTO "counters" VALUES('int',25);
INSERT INTO "counters" VALUES('sig',9);
INSERT INTO "counters" VALUES('hold',5);
INSERT INTO "counters" VALUES('rep',1);
INSERT INTO "facts" VALUES('(configuration)','lineage','2026-11-21T07:55:16.792Z','{"airflow":"(configuration)","edges":[],"gaps":[],"seenAt":"2026-11-21T07:55:16.792Z"}');
INSERT INTO "facts" VALUES('prod','dags','2026-11-21T07:55:19.261Z','[{"dagId":"a","paused":false,"tags":[],"owners":["airflow"],"timeScheduled":false,"assetScheduled":false,"schedule":null,"maxActiveRuns":16,"nextRunAfter":null,"nextLogicalDate":null},{"dagId":"b","paused":false,"tags":[],"owners":["airflow"],"timeScheduled":false,"assetScheduled":true,"schedule":"Asset","maxActiveRuns":16,"nextRunAfter":null,"nextLogicalDate":null},{"dagId":"c","paused":false,"tags":[],"owners":["airflow"],"timeScheduled":false,"assetScheduled":true,"schedule":"Asset","maxActiveRuns":16,"nextRunAfter":null,"nextLogicalDate":null},{"dagId":"d","paused":false,"tags":[],"owners":["airflow"],"timeScheduled":false,"assetScheduled":false,"schedule":null,"maxActiveRuns":16,"nextRunAfter":null,"nextLogicalDate":null},{"dagId":"e","paused":true,"tags":[],"owners":["airflow"],"timeScheduled":false,"assetScheduled":true,"schedule":"Asset","maxActiveRuns":16,"nextRunAfter":null,"nextLogicalDate":null}]');
INSERT INTO "facts" VALUES('prod','lineage','2026-11-21T07:55:19.265Z','{"airflow":"prod","edges":[{"from":{"airflow":"prod","dagId":"a"},"to":{"airflow":"prod","dagId":"b"},"kind":"asset","via":"s3://a","fromTasks":["make"],"waits":false,"source":"assets"},{"from":{"airflow":"prod","dagId":"b"},"to":{"airflow":"prod","dagId":"c"},"kind":"asset","via":"s3://b","fromTasks":["make"],"waits":false,"source":"assets"},{"from":{"airflow":"prod","dagId":"d"},"to":{"airflow":"prod","dagId":"e"},"kind":"asset","via":"s3://d","fromTasks":["make"],"waits":false,"source":"assets"}],"gaps":[],"seenAt":"2026-11-21T07:55:19.261Z"}');
INSERT INTO "holds" VALUES('hold-1',1,'inc-1','prod','b','released',0,'{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b"}}','["a -(asset s3://a)-> b"]','asset',1,'2026-11-21T07:55:19.583Z','2026-11-22T07:55:19.583Z',0,'2026-11-21T07:55:20.033Z');
INSERT INTO "holds" VALUES('hold-2',2,'inc-1','prod','c','released',0,'{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b, b -(asset s3://b)-> c"}}','["a -(asset s3://a)-> b","b -(asset s3://b)-> c"]','asset',2,'2026-11-21T07:55:19.583Z','2026-11-22T07:55:19.583Z',0,'2026-11-21T07:55:20.036Z');
INSERT INTO "holds" VALUES('hold-3',3,'inc-2','prod','e','foreign',1,'{"code":"downstream","detail":{"path":"d -(asset s3://d)-> e"}}','["d -(asset s3://d)-> e"]','asset',1,'2026-11-21T07:55:20.105Z','2026-11-22T07:55:20.105Z',0,NULL);
INSERT INTO "holds" VALUES('hold-4',4,'inc-1','prod','b','held',0,'{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b"}}','["a -(asset s3://a)-> b"]','asset',1,'2026-11-21T07:55:20.138Z','2026-11-22T07:55:20.138Z',0,NULL);
INSERT INTO "holds" VALUES('hold-5',5,'inc-1','prod','c','held',0,'{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b, b -(asset s3://b)-> c"}}','["a -(asset s3://a)-> b","b -(asset s3://b)-> c"]','asset',2,'2026-11-21T07:55:20.138Z','2026-11-22T07:55:20.138Z',0,NULL);
INSERT INTO "inbox" VALUES(1,'prod','cb-a-r1','["prod","a","r1","make",-1,1,"task_failed"]','{"version":1,"kind":"task_failed","dag_id":"a","run_id":"r1","task_id":"make","try_number":1,"occurred_at":"2026-11-21T07:55:19.269Z","exception":{"type":"ValueError","message":"broken"}}','2026-11-21T07:55:19.283Z',NULL,1);
INSERT INTO "inbox" VALUES(2,'prod','cb-d-r1','["prod","d","r1","make",-1,1,"task_failed"]','{"version":1,"kind":"task_failed","dag_id":"d","run_id":"r1","task_id":"make","try_number":1,"occurred_at":"2026-11-21T07:55:20.087Z","exception":{"type":"ValueError","message":"broken"}}','2026-11-21T07:55:20.088Z',NULL,1);
INSERT INTO "inbox" VALUES(3,'prod','cb-a-r2','["prod","a","r2","make",-1,1,"task_failed"]','{"version":1,"kind":"task_failed","dag_id":"a","run_id":"r2","task_id":"make","try_number":1,"occurred_at":"2026-11-21T07:55:20.113Z","exception":{"type":"ValueError","message":"broken"}}','2026-11-21T07:55:20.114Z',NULL,1);
INSERT INTO "inbox" VALUES(4,'prod','cb-odd',NULL,'{"odd":true}','2026-11-21T07:55:20.350Z','body: must have required property ''version''',1);
INSERT INTO "intents" VALUES('int-1',1,'send_notice','done','{"kind":"send_notice","channel":"log","incidentId":"inc-1","event":"opened","subject":"a"}','fd-1-258a74973ad0',1,'2026-11-21T07:55:19.295Z','2026-11-21T07:55:19.295Z',NULL);
INSERT INTO "intents" VALUES('int-2',2,'survey','done','{"kind":"survey","airflow":"prod","incidentId":"inc-1"}','fd-2-258a74973ad0',0,'2026-11-21T07:55:19.295Z','2026-11-21T07:55:19.295Z',NULL);
INSERT INTO "intents" VALUES('int-3',3,'pause_dag','done','{"kind":"pause_dag","airflow":"prod","dagId":"b"}','fd-3-154ea012586e',1,'2026-11-21T07:55:19.583Z','2026-11-21T07:55:19.583Z',NULL);
INSERT INTO "intents" VALUES('int-4',4,'pause_dag','done','{"kind":"pause_dag","airflow":"prod","dagId":"c"}','fd-4-154ea012586e',1,'2026-11-21T07:55:19.583Z','2026-11-21T07:55:19.583Z',NULL);
INSERT INTO "intents" VALUES('int-5',5,'survey','done','{"kind":"survey","airflow":"prod","incidentId":"inc-1"}','fd-5-186b05cc2977',0,'2026-11-21T07:55:19.629Z','2026-11-21T07:55:19.629Z',NULL);
INSERT INTO "intents" VALUES('int-6',6,'send_notice','done','{"kind":"send_notice","channel":"log","incidentId":"inc-1","event":"held","subject":"b, c"}','fd-6-97d2d6bbef8e',1,'2026-11-21T07:55:19.759Z','2026-11-21T07:55:19.759Z',NULL);
INSERT INTO "intents" VALUES('int-7',7,'plan_repair','done','{"kind":"plan_repair","airflow":"prod","repairId":"rep-1"}','fd-7-378020fcd960',0,'2026-11-21T07:55:19.843Z','2026-11-21T07:55:19.843Z',NULL);
INSERT INTO "intents" VALUES('int-8',8,'send_notice','done','{"kind":"send_notice","channel":"log","incidentId":"inc-1","event":"approval","subject":"rep-1"}','fd-8-75b41043c29e',1,'2026-11-21T07:55:19.918Z','2026-11-21T07:55:19.918Z',NULL);
INSERT INTO "intents" VALUES('int-9',9,'plan_repair','done','{"kind":"plan_repair","airflow":"prod","repairId":"rep-1"}','fd-9-66a61e58919c',0,'2026-11-21T07:55:19.938Z','2026-11-21T07:55:19.938Z',NULL);
INSERT INTO "intents" VALUES('int-10',10,'repair_step','done','{"kind":"repair_step","airflow":"prod","repairId":"rep-1","step":1}','fd-10-3a7dfb50a078',1,'2026-11-21T07:55:19.964Z','2026-11-21T07:55:19.964Z',NULL);
INSERT INTO "intents" VALUES('int-11',11,'plan_release','done','{"kind":"plan_release","airflow":"prod","incidentId":"inc-1"}','fd-11-71859f681e0e',0,'2026-11-21T07:55:19.986Z','2026-11-21T07:55:19.986Z',NULL);
INSERT INTO "intents" VALUES('int-12',12,'unpause_dag','done','{"kind":"unpause_dag","airflow":"prod","dagId":"b","forced":false}','fd-12-709527ce9af6',1,'2026-11-21T07:55:20.002Z','2026-11-21T07:55:20.002Z',NULL);
INSERT INTO "intents" VALUES('int-13',13,'unpause_dag','done','{"kind":"unpause_dag","airflow":"prod","dagId":"c","forced":false}','fd-13-709527ce9af6',1,'2026-11-21T07:55:20.002Z','2026-11-21T07:55:20.002Z',NULL);
INSERT INTO "intents" VALUES('int-14',14,'deliver','done','{"kind":"deliver","airflow":"prod","incidentId":"inc-1","delivery":{"how":"event","assetKey":"1","uri":"s3://a","dagIds":["b"]}}','fd-14-43fb6c462f66',1,'2026-11-21T07:55:20.036Z','2026-11-21T07:55:20.036Z',NULL);
INSERT INTO "intents" VALUES('int-15',15,'send_notice','done','{"kind":"send_notice","channel":"log","incidentId":"inc-1","event":"resolved","subject":"a"}','fd-15-10c7cbdd637f',1,'2026-11-21T07:55:20.060Z','2026-11-21T07:55:20.060Z',NULL);
INSERT INTO "intents" VALUES('int-16',16,'send_notice','done','{"kind":"send_notice","channel":"log","incidentId":"inc-2","event":"opened","subject":"d"}','fd-16-6b3db09828f7',1,'2026-11-21T07:55:20.090Z','2026-11-21T07:55:20.090Z',NULL);
INSERT INTO "intents" VALUES('int-17',17,'survey','done','{"kind":"survey","airflow":"prod","incidentId":"inc-2"}','fd-17-6b3db09828f7',0,'2026-11-21T07:55:20.090Z','2026-11-21T07:55:20.090Z',NULL);
INSERT INTO "intents" VALUES('int-18',18,'send_notice','done','{"kind":"send_notice","channel":"log","incidentId":"inc-2","event":"held","subject":"e"}','fd-18-c8e55d420705',1,'2026-11-21T07:55:20.105Z','2026-11-21T07:55:20.105Z',NULL);
INSERT INTO "intents" VALUES('int-19',19,'send_notice','done','{"kind":"send_notice","channel":"log","incidentId":"inc-1","event":"opened","subject":"a"}','fd-19-85c27db3bf0c',1,'2026-11-21T07:55:20.118Z','2026-11-21T07:55:20.118Z',NULL);
INSERT INTO "intents" VALUES('int-20',20,'survey','done','{"kind":"survey","airflow":"prod","incidentId":"inc-1"}','fd-20-85c27db3bf0c',0,'2026-11-21T07:55:20.118Z','2026-11-21T07:55:20.118Z',NULL);
INSERT INTO "intents" VALUES('int-21',21,'pause_dag','done','{"kind":"pause_dag","airflow":"prod","dagId":"b"}','fd-21-52da3809ef96',1,'2026-11-21T07:55:20.138Z','2026-11-21T07:55:20.138Z',NULL);
INSERT INTO "intents" VALUES('int-22',22,'pause_dag','done','{"kind":"pause_dag","airflow":"prod","dagId":"c"}','fd-22-52da3809ef96',1,'2026-11-21T07:55:20.138Z','2026-11-21T07:55:20.138Z',NULL);
INSERT INTO "intents" VALUES('int-23',23,'survey','done','{"kind":"survey","airflow":"prod","incidentId":"inc-2"}','fd-23-a1eac1b3f6ba',0,'2026-11-21T07:55:20.148Z','2026-11-21T07:55:20.148Z',NULL);
INSERT INTO "intents" VALUES('int-24',24,'survey','done','{"kind":"survey","airflow":"prod","incidentId":"inc-1"}','fd-24-a1eac1b3f6ba',0,'2026-11-21T07:55:20.148Z','2026-11-21T07:55:20.148Z',NULL);
INSERT INTO "intents" VALUES('int-25',25,'send_notice','done','{"kind":"send_notice","channel":"log","incidentId":"inc-1","event":"held","subject":"b, c"}','fd-25-389c338f03fc',1,'2026-11-21T07:55:20.276Z','2026-11-21T07:55:20.276Z',NULL);
INSERT INTO "ownerships" VALUES('prod','b','ours','fd-21-52da3809ef96',11,'2026-11-21T07:55:20.138Z',0,0,'["fd-21-52da3809ef96"]');
INSERT INTO "ownerships" VALUES('prod','c','ours','fd-22-52da3809ef96',11,'2026-11-21T07:55:20.138Z',0,0,'["fd-22-52da3809ef96"]');
INSERT INTO "ownerships" VALUES('prod','e','foreign',NULL,NULL,'2026-11-21T07:55:20.105Z',0,1,'[]');
INSERT INTO "repairs" VALUES('rep-1',1,'inc-1','prod','succeeded','{"id":"rep-1","incidentId":"inc-1","airflow":"prod","state":"succeeded","stateReason":{"code":"repair_succeeded","detail":{}},"steps":[{"n":1,"dagId":"a","wave":0,"stage":"all","request":{"kind":"clear","runId":"r1","logicalDate":null,"tasks":["make"],"runStart":"2026-11-21T07:55:19.268Z"},"runs":[{"runId":"r1","logicalDate":null,"startBefore":"2026-11-21T07:55:19.268Z","tasks":[{"taskId":"make","mapIndex":-1}]}],"dryRun":"airflow","state":"succeeded","reason":{"code":"step_succeeded","detail":{}},"progress":[{"runId":"r1","logicalDate":null,"state":"success"}],"startedAt":"2026-11-21T07:55:19.964Z","endedAt":"2026-11-21T07:55:19.986Z"}],"digest":"80b7d3b99942cc893748dbb059ff211ea3adaff9be572b7843f4753b96a44529","warnings":[],"requestedBy":"rita","createdAt":"2026-11-21T07:55:19.843Z","expiresAt":"2026-11-21T08:25:19.918Z","approval":{"by":"ann","role":"approver","at":"2026-11-21T07:55:19.938Z","comment":"go","digest":"80b7d3b99942cc893748dbb059ff211ea3adaff9be572b7843f4753b96a44529"},"endedAt":"2026-11-21T07:55:19.986Z","stuckTold":false}');
INSERT INTO "seen" VALUES('prod','["prod","a","r1","make",-1,1,"task_failed"]','2026-11-21T07:55:18.720Z');
INSERT INTO "seen" VALUES('prod','["prod","a","r1",null,-1,"2026-11-21T07:55:19.268Z","run_failed"]','2026-11-21T07:55:18.720Z');
INSERT INTO "seen" VALUES('prod','["prod","a","r2","make",-1,1,"task_failed"]','2026-11-21T07:55:19.278Z');
INSERT INTO "seen" VALUES('prod','["prod","a","r2",null,-1,"2026-11-21T07:55:20.111Z","run_failed"]','2026-11-21T07:55:19.278Z');
INSERT INTO "seen" VALUES('prod','["prod","d","r1","make",-1,1,"task_failed"]','2026-11-21T07:55:19.278Z');
INSERT INTO "seen" VALUES('prod','["prod","d","r1",null,-1,"2026-11-21T07:55:20.085Z","run_failed"]','2026-11-21T07:55:19.278Z');
INSERT INTO "service" VALUES(1,'934c74204b5698f2',3,NULL,NULL);
INSERT INTO "signals" VALUES('sig-1',1,'["prod","a","r1","make",-1,1,"task_failed"]','prod','a','callback','inc-1','2026-11-21T07:55:19.295Z','{"key":"[\"prod\",\"a\",\"r1\",\"make\",-1,1,\"task_failed\"]","airflow":"prod","kind":"task_failed","origin":"callback","dagId":"a","runId":"r1","taskId":"make","mapIndex":-1,"tryNumber":1,"runType":null,"logicalDate":null,"runStart":null,"occurredAt":"2026-11-21T07:55:19.269Z","text":"ValueError: broken","logUrl":null,"said":{"severity":null,"incidentType":null,"note":null,"title":null,"badData":false},"id":"sig-1","heardAt":"2026-11-21T07:55:19.295Z","incidentId":"inc-1","outcome":"task make of run r1 failed for good"}');
INSERT INTO "signals" VALUES('sig-2',2,'["prod","a","r1","make",-1,1,"task_failed"]','prod','a','poll','inc-1','2026-11-21T07:55:19.627Z','{"key":"[\"prod\",\"a\",\"r1\",\"make\",-1,1,\"task_failed\"]","airflow":"prod","kind":"task_failed","origin":"poll","dagId":"a","runId":"r1","taskId":"make","mapIndex":-1,"tryNumber":1,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:55:19.268Z","occurredAt":"2026-11-21T07:55:19.268Z","text":null,"logUrl":null,"said":{"severity":null,"incidentType":null,"note":null,"title":null,"badData":false},"id":"sig-2","heardAt":"2026-11-21T07:55:19.627Z","incidentId":"inc-1","outcome":"this failure is already known"}');
INSERT INTO "signals" VALUES('sig-3',3,'["prod","a","r1",null,-1,"2026-11-21T07:55:19.268Z","run_failed"]','prod','a','poll','inc-1','2026-11-21T07:55:19.629Z','{"key":"[\"prod\",\"a\",\"r1\",null,-1,\"2026-11-21T07:55:19.268Z\",\"run_failed\"]","airflow":"prod","kind":"run_failed","origin":"poll","dagId":"a","runId":"r1","taskId":null,"mapIndex":-1,"tryNumber":null,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:55:19.268Z","occurredAt":"2026-11-21T07:55:19.268Z","text":null,"logUrl":null,"said":{"severity":null,"incidentType":null,"note":null,"title":null,"badData":false},"id":"sig-3","heardAt":"2026-11-21T07:55:19.629Z","incidentId":"inc-1","outcome":"another failure of the same cause"}');
INSERT INTO "signals" VALUES('sig-4',4,'["prod","d","r1","make",-1,1,"task_failed"]','prod','d','callback','inc-2','2026-11-21T07:55:20.090Z','{"key":"[\"prod\",\"d\",\"r1\",\"make\",-1,1,\"task_failed\"]","airflow":"prod","kind":"task_failed","origin":"callback","dagId":"d","runId":"r1","taskId":"make","mapIndex":-1,"tryNumber":1,"runType":null,"logicalDate":null,"runStart":null,"occurredAt":"2026-11-21T07:55:20.087Z","text":"ValueError: broken","logUrl":null,"said":{"severity":null,"incidentType":null,"note":null,"title":null,"badData":false},"id":"sig-4","heardAt":"2026-11-21T07:55:20.090Z","incidentId":"inc-2","outcome":"task make of run r1 failed for good"}');
INSERT INTO "signals" VALUES('sig-5',5,'["prod","a","r2","make",-1,1,"task_failed"]','prod','a','callback','inc-1','2026-11-21T07:55:20.118Z','{"key":"[\"prod\",\"a\",\"r2\",\"make\",-1,1,\"task_failed\"]","airflow":"prod","kind":"task_failed","origin":"callback","dagId":"a","runId":"r2","taskId":"make","mapIndex":-1,"tryNumber":1,"runType":null,"logicalDate":null,"runStart":null,"occurredAt":"2026-11-21T07:55:20.113Z","text":"ValueError: broken","logUrl":null,"said":{"severity":null,"incidentType":null,"note":null,"title":null,"badData":false},"id":"sig-5","heardAt":"2026-11-21T07:55:20.118Z","incidentId":"inc-1","outcome":"the same cause failed again within the monitoring time"}');
INSERT INTO "signals" VALUES('sig-6',6,'["prod","d","r1","make",-1,1,"task_failed"]','prod','d','poll','inc-2','2026-11-21T07:55:20.145Z','{"key":"[\"prod\",\"d\",\"r1\",\"make\",-1,1,\"task_failed\"]","airflow":"prod","kind":"task_failed","origin":"poll","dagId":"d","runId":"r1","taskId":"make","mapIndex":-1,"tryNumber":1,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:55:20.085Z","occurredAt":"2026-11-21T07:55:20.085Z","text":null,"logUrl":null,"said":{"severity":null,"incidentType":null,"note":null,"title":null,"badData":false},"id":"sig-6","heardAt":"2026-11-21T07:55:20.145Z","incidentId":"inc-2","outcome":"this failure is already known"}');
INSERT INTO "signals" VALUES('sig-7',7,'["prod","a","r2","make",-1,1,"task_failed"]','prod','a','poll','inc-1','2026-11-21T07:55:20.148Z','{"key":"[\"prod\",\"a\",\"r2\",\"make\",-1,1,\"task_failed\"]","airflow":"prod","kind":"task_failed","origin":"poll","dagId":"a","runId":"r2","taskId":"make","mapIndex":-1,"tryNumber":1,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:55:20.111Z","occurredAt":"2026-11-21T07:55:20.111Z","text":null,"logUrl":null,"said":{"severity":null,"incidentType":null,"note":null,"title":null,"badData":false},"id":"sig-7","heardAt":"2026-11-21T07:55:20.148Z","incidentId":"inc-1","outcome":"this failure is already known"}');
INSERT INTO "signals" VALUES('sig-8',8,'["prod","d","r1",null,-1,"2026-11-21T07:55:20.085Z","run_failed"]','prod','d','poll','inc-2','2026-11-21T07:55:20.148Z','{"key":"[\"prod\",\"d\",\"r1\",null,-1,\"2026-11-21T07:55:20.085Z\",\"run_failed\"]","airflow":"prod","kind":"run_failed","origin":"poll","dagId":"d","runId":"r1","taskId":null,"mapIndex":-1,"tryNumber":null,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:55:20.085Z","occurredAt":"2026-11-21T07:55:20.085Z","text":null,"logUrl":null,"said":{"severity":null,"incidentType":null,"note":null,"title":null,"badData":false},"id":"sig-8","heardAt":"2026-11-21T07:55:20.148Z","incidentId":"inc-2","outcome":"another failure of the same cause"}');
INSERT INTO "signals" VALUES('sig-9',9,'["prod","a","r2",null,-1,"2026-11-21T07:55:20.111Z","run_failed"]','prod','a','poll','inc-1','2026-11-21T07:55:20.148Z','{"key":"[\"prod\",\"a\",\"r2\",null,-1,\"2026-11-21T07:55:20.111Z\",\"run_failed\"]","airflow":"prod","kind":"run_failed","origin":"poll","dagId":"a","runId":"r2","taskId":null,"mapIndex":-1,"tryNumber":null,"runType":"manual","logicalDate":null,"runStart":"2026-11-21T07:55:20.111Z","occurredAt":"2026-11-21T07:55:20.111Z","text":null,"logUrl":null,"said":{"severity":null,"incidentType":null,"note":null,"title":null,"badData":false},"id":"sig-9","heardAt":"2026-11-21T07:55:20.148Z","incidentId":"inc-1","outcome":"another failure of the same cause"}');
INSERT INTO "timeline" VALUES(1,'inc-1','2026-11-21T07:55:19.295Z','{"kind":"airflow"}','incident.opened','a','{"code":"failure_final","detail":{"task":"make","run":"r1"}}','ValueError: broken');
INSERT INTO "timeline" VALUES(2,'inc-1','2026-11-21T07:55:19.583Z','{"kind":"firedamper"}','hold.intended','b','{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b"}}',NULL);
INSERT INTO "timeline" VALUES(3,'inc-1','2026-11-21T07:55:19.583Z','{"kind":"firedamper"}','hold.intended','c','{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b, b -(asset s3://b)-> c"}}',NULL);
INSERT INTO "timeline" VALUES(4,'inc-1','2026-11-21T07:55:19.629Z','{"kind":"airflow"}','signal.joined','a r1','{"code":"run_failed","detail":{"run":"r1"}}',NULL);
INSERT INTO "timeline" VALUES(5,'inc-1','2026-11-21T07:55:19.757Z','{"kind":"firedamper"}','hold.held','b','{"code":"paused","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(6,'inc-1','2026-11-21T07:55:19.759Z','{"kind":"firedamper"}','hold.held','c','{"code":"paused","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(7,'inc-1','2026-11-21T07:55:19.759Z','{"kind":"firedamper"}','incident.contained','a','{"code":"contained","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(8,'inc-1','2026-11-21T07:55:19.843Z','{"kind":"person","name":"rita"}','incident.fixed','a','{"code":"marked_fixed","detail":{}}','mended');
INSERT INTO "timeline" VALUES(9,'inc-1','2026-11-21T07:55:19.843Z','{"kind":"firedamper"}','repair.planning','rep-1','{"code":"planning","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(10,'inc-1','2026-11-21T07:55:19.918Z','{"kind":"firedamper"}','repair.proposed','rep-1','{"code":"proposed","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(11,'inc-1','2026-11-21T07:55:19.938Z','{"kind":"person","name":"ann"}','repair.approved','rep-1','{"code":"approved","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(12,'inc-1','2026-11-21T07:55:19.964Z','{"kind":"firedamper"}','repair.running','rep-1','{"code":"approved","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(13,'inc-1','2026-11-21T07:55:19.964Z','{"kind":"firedamper"}','incident.repairing','a','{"code":"approved","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(14,'inc-1','2026-11-21T07:55:19.964Z','{"kind":"firedamper"}','step.started','clear a r1','{"code":"step_started","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(15,'inc-1','2026-11-21T07:55:19.986Z','{"kind":"airflow"}','step.succeeded','clear a r1','{"code":"step_succeeded","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(16,'inc-1','2026-11-21T07:55:19.986Z','{"kind":"firedamper"}','repair.succeeded','rep-1','{"code":"repair_succeeded","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(17,'inc-1','2026-11-21T07:55:19.986Z','{"kind":"firedamper"}','incident.verifying','a','{"code":"repair_succeeded","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(18,'inc-1','2026-11-21T07:55:19.986Z','{"kind":"firedamper"}','incident.verified','a','{"code":"verified_runs","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(19,'inc-1','2026-11-21T07:55:20.002Z','{"kind":"firedamper"}','incident.monitoring','a','{"code":"verified_runs","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(20,'inc-1','2026-11-21T07:55:20.002Z','{"kind":"firedamper"}','hold.release_intended','b','{"code":"verified_runs","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(21,'inc-1','2026-11-21T07:55:20.002Z','{"kind":"firedamper"}','hold.release_intended','c','{"code":"verified_runs","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(22,'inc-1','2026-11-21T07:55:20.033Z','{"kind":"firedamper"}','hold.released','b','{"code":"released","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(23,'inc-1','2026-11-21T07:55:20.036Z','{"kind":"firedamper"}','hold.released','c','{"code":"released","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(24,'inc-1','2026-11-21T07:55:20.049Z','{"kind":"firedamper"}','delivery.done','b','{"code":"delivered_event","detail":{"asset":"s3://a"}}',NULL);
INSERT INTO "timeline" VALUES(25,'inc-1','2026-11-21T07:55:20.060Z','{"kind":"airflow"}','delivery.ran','b','{"code":"ran_after_release","detail":{"run":"asset_triggered__2026-11-21T07:55:20.048Z_0"}}',NULL);
INSERT INTO "timeline" VALUES(26,'inc-1','2026-11-21T07:55:20.060Z','{"kind":"airflow"}','delivery.ran','c','{"code":"ran_after_release","detail":{"run":"asset_triggered__2026-11-21T07:55:20.049Z_0"}}',NULL);
INSERT INTO "timeline" VALUES(27,'inc-1','2026-11-21T07:55:20.060Z','{"kind":"firedamper"}','incident.resolved','a','{"code":"resolved","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(28,'inc-2','2026-11-21T07:55:20.090Z','{"kind":"airflow"}','incident.opened','d','{"code":"failure_final","detail":{"task":"make","run":"r1"}}','ValueError: broken');
INSERT INTO "timeline" VALUES(29,'inc-2','2026-11-21T07:55:20.105Z','{"kind":"firedamper"}','hold.intended','e','{"code":"downstream","detail":{"path":"d -(asset s3://d)-> e"}}',NULL);
INSERT INTO "timeline" VALUES(30,'inc-2','2026-11-21T07:55:20.105Z','{"kind":"firedamper"}','hold.foreign','e','{"code":"already_paused","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(31,'inc-2','2026-11-21T07:55:20.105Z','{"kind":"firedamper"}','incident.contained','d','{"code":"contained","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(32,'inc-1','2026-11-21T07:55:20.118Z','{"kind":"airflow"}','incident.reopened','a','{"code":"reopened","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(33,'inc-1','2026-11-21T07:55:20.118Z','{"kind":"firedamper"}','incident.open','a','{"code":"reopened","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(34,'inc-1','2026-11-21T07:55:20.118Z','{"kind":"airflow"}','signal.joined','a r2','{"code":"failure_final","detail":{"task":"make","run":"r2"}}',NULL);
INSERT INTO "timeline" VALUES(35,'inc-1','2026-11-21T07:55:20.138Z','{"kind":"firedamper"}','hold.intended','b','{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b"}}',NULL);
INSERT INTO "timeline" VALUES(36,'inc-1','2026-11-21T07:55:20.138Z','{"kind":"firedamper"}','hold.intended','c','{"code":"downstream","detail":{"path":"a -(asset s3://a)-> b, b -(asset s3://b)-> c"}}',NULL);
INSERT INTO "timeline" VALUES(37,'inc-2','2026-11-21T07:55:20.148Z','{"kind":"airflow"}','signal.joined','d r1','{"code":"run_failed","detail":{"run":"r1"}}',NULL);
INSERT INTO "timeline" VALUES(38,'inc-1','2026-11-21T07:55:20.148Z','{"kind":"airflow"}','signal.joined','a r2','{"code":"run_failed","detail":{"run":"r2"}}',NULL);
INSERT INTO "timeline" VALUES(39,'inc-1','2026-11-21T07:55:20.269Z','{"kind":"firedamper"}','hold.held','b','{"code":"paused","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(40,'inc-1','2026-11-21T07:55:20.276Z','{"kind":"firedamper"}','hold.held','c','{"code":"paused","detail":{}}',NULL);
INSERT INTO "timeline" VALUES(41,'inc-1','2026-11-21T07:55:20.276Z','{"kind":"firedamper"}','incident.contained','a','{"code":"contained","detail":{}}',NULL);
INSERT INTO "timeline_chain" VALUES(1,'a6793fc2d614fcf046c0fc6458d9a78b2b1cc8dd5d486b3aed14d09853b2db76');
INSERT INTO "timeline_chain" VALUES(2,'260abc8c4fa63f0a40cf70290464ed660abb7f6003f19e567a17d69f594e7c39');
INSERT INTO "timeline_chain" VALUES(3,'109be03a3f6845e7ab1ef87d68b43ba80d82e0c2219ff79d265d1f311cd9cdd0');
INSERT INTO "timeline_chain" VALUES(4,'87c42ffadc5e67883a33a6d9b9b397aa51c26b5950918987f3576a5a2d51328e');
INSERT INTO "timeline_chain" VALUES(5,'3d744a555f45370dde6faeae14f3b8adce77d4194a024b07f03e4dec6cef6ffb');
INSERT INTO "timeline_chain" VALUES(6,'e831d08d1923d769fd553e1ddb49cab8c91a936236cb6e15495e979af12ddf39');
INSERT INTO "timeline_chain" VALUES(7,'ccaabc8da86dee2f7e848009d3d80a71511b1ea98ba7ebca69ada59d212439d8');
INSERT INTO "timeline_chain" VALUES(8,'6ffb8bb45effe386dd175234b7cc86e166966606f8997ef314f611f17f3e6b7a');
INSERT INTO "timeline_chain" VALUES(9,'d1ae9f27de1dc53e739bddd09fa52bdcc77dc888e78707deb3965ae0b815a254');
INSERT INTO "timeline_chain" VALUES(10,'c30382b8c55b3c38b6aeb563d2161c0939963ee4e23184c0f5d7d659346a8f1d');
INSERT INTO "timeline_chain" VALUES(11,'a9dcb1ec21cafee35bbba8bff8fa5434caa8ca2d1c56a53110f500aa66fdc216');
INSERT INTO "timeline_chain" VALUES(12,'b88d2e647cc9d1bf52505a960bd0bacc5e34feb7fef7f59fad069ba09fe90281');
INSERT INTO "timeline_chain" VALUES(13,'20dce481a5afe266c9d12cd4f7f8e44acf6d70725b09b14f5c864e1cb3b0247f');
INSERT INTO "timeline_chain" VALUES(14,'1a335e04f93e808fb5bc5112b06bdb2c4352130455a37e1bf83bab30897862f9');
INSERT INTO "timeline_chain" VALUES(15,'4933aea734607b2dde9a8d0df61c03ffa8491d0c3baef360aaaff3c37689b31b');
INSERT INTO "timeline_chain" VALUES(16,'ded091fbbed5efe477055cfee969d5779b914a254252f4f582c81c0d3259c94a');
INSERT INTO "timeline_chain" VALUES(17,'7e93f5fe3c9c03357f9def36338a396a3fdaaa4b17f3ab75be583651c62803d2');
INSERT INTO "timeline_chain" VALUES(18,'1066d69c627738c98efeba12bb0f2b8ec841e80927d54636ce7c75eca07ee645');
INSERT INTO "timeline_chain" VALUES(19,'1445a9672d5c59f42f214e2c62a90534a209ecbd43a053fd1e3b33069d87173c');
INSERT INTO "timeline_chain" VALUES(20,'beeb23a4c769ad6e6acf81f352ad13aeca49eb14b2614f9bc14f68b8d3b00ad7');
INSERT INTO "timeline_chain" VALUES(21,'5ebb98c115c826c2c74de65d33354c86035853865061695922adba0558369502');
INSERT INTO "timeline_chain" VALUES(22,'fb7b2ee61ba47f3a239cba231f9943f0429687f29ce54f3fbca425b27e887cea');
INSERT INTO "timeline_chain" VALUES(23,'c9c5a6ffe346f1bf765194cf7039bfe545687df6ac973e5aa28caa9d4e542f9b');
INSERT INTO "timeline_chain" VALUES(24,'bc66062f98d1c58df39adbe72216e050b2b52eaa8adb7b1ce9fa65a097f91abb');
INSERT INTO "timeline_chain" VALUES(25,'ed9821a9fffdaaaf3563153082473d4ed455c31137a9a4afeb1a282400d628cb');
INSERT INTO "timeline_chain" VALUES(26,'bb79f7a05b14d4e7339e2a20a28cc43d0c43574bc09d2f8699fcda35367f786f');
INSERT INTO "timeline_chain" VALUES(27,'8130d8f88ef149f58f9a871daf7ce0cd8d698ccc9c53c6e5f192544f16d4aeb2');
INSERT INTO "timeline_chain" VALUES(28,'ec53d1dd1b54c3407033d1a93de8d9e93120758304eed2f22436cd3093e5c65c');
INSERT INTO "timeline_chain" VALUES(29,'ff1af8086024c39374a6f90398cf34a3b2f10189f024ce1fb431fb969cd731d1');
INSERT INTO "timeline_chain" VALUES(30,'595dfc626e087b662a001c86b075009e8bbb7bf3f4646bb8d00d26e72e1ad3cd');
INSERT INTO "timeline_chain" VALUES(31,'1bcd37535e817ae66db4a0cc400d290e7d65c5bd4491c8ed7fa27a1465d1a256');
INSERT INTO "timeline_chain" VALUES(32,'025f7edfe90bdfefd1a9dbe870cf0a9ae7953af7925a124cc3a09dc2d63af1ee');
INSERT INTO "timeline_chain" VALUES(33,'1c9cf05e95016ee79044cf5d557e51a388eba8fdf9536717cd82d9f9fbf77227');
INSERT INTO "timeline_chain" VALUES(34,'5ec46ea0cd10f40f944f87f90860c248abd00d7fcf8bfd8687a9d7f6165eb9e6');
INSERT INTO "timeline_chain" VALUES(35,'b4f4d1db5637ab2e0b8958ed41f80b6b62a69061af80f575b5c68071d97aae7b');
INSERT INTO "timeline_chain" VALUES(36,'850f5ac0f2388150e502cae8f2b9f350eb2bf0c13884180b4ea9918171786960');
INSERT INTO "timeline_chain" VALUES(37,'455675d8ffac80b6de4d5bda1131449abd87905d6edf52ddfbf4daee1e0b8098');
INSERT INTO "timeline_chain" VALUES(38,'5e5c3986debac88a35475339d3ac5e29c2c44e17abd3e39fac9792aae7bdcffa');
INSERT INTO "timeline_chain" VALUES(39,'022bacfa499d7c7032983dfee5aea2aeb4eab2a29ca54fe697b9a324ac0a5560');
INSERT INTO "timeline_chain" VALUES(40,'69aaa624728382c951ca34b4424b46efc82d5ea7f3de7d17780b389daea4294e');
INSERT INTO "timeline_chain" VALUES(41,'25bd9d7746d710c4382a7f3b1cb2b67fded79a916c3a605dd6ddc1a7c57b783b');
INSERT INTO "watermarks" VALUES('prod','2026-11-21T07:55:19.386Z','2026-11-21T07:55:14.977Z');
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
CREATE TRIGGER timeline_no_update before update on timeline begin select raise(abort, 'the timeline is append-only'); end;
CREATE TRIGGER timeline_no_delete before delete on timeline begin select raise(abort, 'the timeline is append-only'); end;
CREATE TRIGGER timeline_chain_no_update before update on timeline_chain begin select raise(abort, 'the timeline is append-only'); end;
CREATE TRIGGER timeline_chain_no_delete before delete on timeline_chain begin select raise(abort, 'the timeline is append-only'); end;
pragma user_version = 4;
