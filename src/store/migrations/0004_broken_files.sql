-- One more kind of fact: the DAG files that did not load at the last look. A check of a column cannot be changed, so the table is made anew.
create table facts_with_files (
  airflow text not null,
  kind    text not null check (kind in ('dags', 'lineage', 'broken_files')),
  read_at text not null,
  doc     text not null check (json_valid(doc)),
  primary key (airflow, kind)
) strict;
insert into facts_with_files (airflow, kind, read_at, doc) select airflow, kind, read_at, doc from facts;
drop table facts;
alter table facts_with_files rename to facts;
