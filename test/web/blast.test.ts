import { describe, expect, test } from 'vitest';
import { blastOf } from '../../src/web/blast.ts';
import { BOX, chipsOf, pictureOf, shortened } from '../../src/web/blastLayout.ts';
import { GALLERY } from '../../src/web/galleryPages.ts';
import * as sample from '../../src/web/samples.ts';
import { read } from './support.ts';

const fan = (count: number, from = 'orders_etl') =>
  Array.from({ length: count }, (_, i) => sample.edge(from, `reader_${i}`, 'asset', 's3://lake/orders'));
const fanView = (count: number) => {
  const edges = fan(count);
  return sample.view({
    incident: sample.incident({ spared: [] }),
    edges,
    holds: edges.map((e) => sample.hold(e.to.dagId, 'held', [e])),
  });
};

describe('the picture of the blast radius', () => {
  test('marks each DAG once: failing, held in its state, spared, or lying between', () => {
    const between = sample.edge('orders_etl', 'between', 'trigger', 't');
    const behind = sample.edge('between', 'revenue_report', 'asset', 'x');
    const blast = blastOf(sample.view({ edges: [...sample.EDGES, between, behind] }));
    const marks = Object.fromEntries(blast.dags.map((dag) => [dag.dagId, dag.mark]));
    expect(marks).toEqual({
      orders_etl: 'failing',
      revenue_report: 'held',
      customer_360: 'held',
      churn_scores: 'held',
      exec_dashboard: 'foreign',
      fraud_features: 'ceded',
      stock_sync: 'intended',
      billing_export: 'spared',
      crm_sync: 'spared',
      between: 'passed',
    });
    expect(blast.dags[0]?.dagId).toBe('orders_etl');
  });

  test('the same name in two Airflows is two DAGs', () => {
    const other = {
      ...sample.edge('orders_etl', 'revenue_report', 'config', 'copied'),
      to: { airflow: 'legacy', dagId: 'revenue_report' },
    };
    const blast = blastOf(sample.view({ edges: [...sample.EDGES, other] }));
    expect(blast.dags.filter((dag) => dag.dagId === 'revenue_report').map((dag) => dag.airflow)).toEqual(['prod', 'legacy']);
  });

  test('two assets between two DAGs are one line that names both', () => {
    const second = sample.edge('orders_etl', 'revenue_report', 'asset', 's3://lake/returns');
    const blast = blastOf(sample.view({ edges: [...sample.EDGES, second] }));
    const line = pictureOf(blast).lines.find((one) => one.full.includes('returns'));
    expect(line?.full).toBe('asset: s3://lake/orders, s3://lake/returns');
  });

  test('boxes never lie on each other and stay within the picture', () => {
    const picture = pictureOf(blastOf(sample.view()));
    for (const [i, a] of picture.boxes.entries()) {
      expect(a.x >= 0 && a.y >= 0 && a.x + a.width <= picture.width && a.y + a.height <= picture.height, a.key).toBe(true);
      for (const b of picture.boxes.slice(i + 1)) {
        const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
        expect(apart, `${a.key} and ${b.key}`).toBe(true);
      }
    }
  });

  test('fifty alike readers share one box, and each is still to be seen and to be clicked', () => {
    const picture = pictureOf(blastOf(fanView(50)));
    expect(picture.boxes).toHaveLength(2);
    expect(chipsOf(picture.boxes[1]!)).toHaveLength(50);
    expect(picture.height).toBeLessThan(50 * BOX.height);
  });

  test('five are drawn one by one', () => {
    expect(pictureOf(blastOf(fanView(5))).boxes).toHaveLength(6);
  });

  test('a ring of DAGs ends', () => {
    const ring = [
      ...fan(1),
      sample.edge('reader_0', 'orders_etl', 'asset', 'back'),
      sample.edge('reader_0', 'reader_0', 'asset', 'self'),
    ];
    expect(
      pictureOf(blastOf(sample.view({ edges: ring, holds: [], incident: sample.incident({ spared: [] }) }))).boxes,
    ).toHaveLength(2);
  });

  test('what is too much to draw is counted, and stands in the table', () => {
    const edges = fan(300).map((e, i) => ({ ...e, via: `s3://lake/${i}` }));
    const spared = edges.map((e) => ({ ...e.to, reason: { code: 'over_cap' as const, detail: { cap: '50' } }, path: [] }));
    const picture = pictureOf(blastOf(sample.view({ edges, holds: [], incident: sample.incident({ spared }) })));
    expect(picture.boxes).toHaveLength(120);
    expect(picture.left).toBe(181);
  });

  test('the table has every DAG, with 56 of them too', () => {
    const { text, tags } = read(GALLERY['incident-wide']!());
    expect(text).toContain('As a table: 56 DAGs with their reasons');
    expect(tags.filter((tag) => tag.name === 'tr' && tag.parents.at(-1) === 'tbody').length).toBeGreaterThanOrEqual(57);
  });

  test('a long name keeps its beginning and its end', () => {
    expect(shortened('a_very_long_name_of_a_dag_v2', 16)).toBe('a_very_l…_dag_v2');
    expect([...shortened('x'.repeat(500))]).toHaveLength(22);
    expect(shortened('short')).toBe('short');
    expect(shortened('🔥'.repeat(40), 10)).toBe(`${'🔥'.repeat(5)}…${'🔥'.repeat(4)}`);
  });
});
