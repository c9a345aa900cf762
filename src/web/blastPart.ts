import type { IncidentView } from '../store/readModels.ts';
import { type Blast, type BlastDag, blastOf, type Mark } from './blast.ts';
import { BOX, type Box, chipsOf, type Line, type Picture, pictureOf, shortened } from './blastLayout.ts';
import { Html, html, type Value } from './html.ts';
import { badge, dagLink, dagPath, plural } from './words.ts';

const MARK_WORDS: Readonly<Record<Mark, string>> = {
  failing: 'failing',
  intended: 'being paused',
  held: 'held',
  foreign: 'was paused before',
  ceded: 'taken over by a person',
  release_intended: 'being resumed',
  released: 'released',
  spared: 'not held',
  passed: 'lies between',
};
const SHOWN_AS_FILTER = 12;
/** A picture up to this width (px) is made smaller to fit; a wider one would become too small to read and is scrolled instead. */
const FITS = 1450;

/** The picture for eyes and mouse; the table beneath says the same to everybody, and more. */
export function blastPart(view: IncidentView): Html {
  const blast = blastOf(view);
  const { gaps } = view.incident;
  return html`<section id="blast" class="card" aria-labelledby="blast-h" data-live="blast"><h2 id="blast-h">What reads it</h2>
${summary(blast)}
${gaps.length > 0 && html`<div class="note warn"><p><strong>This may not be all.</strong> Sources that could not be read:</p><ul>${gaps.map((gap) => html`<li><code>${gap.source}</code> ${gap.why}</li>`)}</ul></div>`}
${blast.dags.length > 1 ? html`${drawing(view, blast)}${table(view, blast)}` : ''}
</section>`;
}

function summary(blast: Blast): Html {
  const count = (mark: Mark) => blast.dags.filter((dag) => dag.mark === mark).length;
  const marks = (['held', 'intended', 'foreign', 'ceded', 'release_intended', 'released', 'spared'] as const).filter(
    (mark) => count(mark) > 0,
  );
  if (marks.length === 0) return html`<p>No DAG reads what failed, as far as is known.</p>`;
  return html`<ul class="legend">${marks.map((mark) => html`<li>${badge(`mark-${mark}`, String(count(mark)))} ${MARK_WORDS[mark]}</li>`)}</ul>`;
}

function drawing(view: IncidentView, blast: Blast): Html {
  const picture = pictureOf(blast);
  // Hidden from screen readers and from the tab order: the table is the same for them, in an order that can be read.
  return html`<div class="scroll picture" id="picture-${view.incident.id}" data-middle="${middle(picture)}"><svg aria-hidden="true" class="${picture.width <= FITS ? 'fits' : ''}" width="${picture.width}" height="${picture.height}" viewBox="0 0 ${picture.width} ${picture.height}">
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0.5 L8 4 L0 7.5 z"/></marker></defs>
${picture.lines.map(edge)}${picture.boxes.map((box) => (box.dags.length === 1 ? oneBox(box, view.incident.airflow) : bundle(box)))}${picture.lines.map(label)}</svg></div>
${left(picture)}`;
}

/** Where the failing DAG stands, as a share of the height: a tall picture opens there. */
function middle(picture: Picture): number {
  const box = picture.boxes.find((one) => one.mark === 'failing');
  return box === undefined || picture.height === 0 ? 0 : Math.round(((box.y + box.height / 2) / picture.height) * 100) / 100;
}

const left = (picture: Picture): Value =>
  picture.left > 0 && html`<p class="quiet">${plural(picture.left, 'more DAG')}, further away, in the table only.</p>`;

const edge = (line: Line): Html =>
  html`<path class="edge ${line.kind}" d="${smooth(line.points)}" marker-end="url(#arrow)"><title>${line.full}</title></path>`;

const label = (line: Line): Value =>
  line.at !== null &&
  html`<g class="label"><title>${line.full}</title><text x="${round(line.at.x)}" y="${round(line.at.y - 8)}">${line.kinds}</text><text x="${round(line.at.x)}" y="${round(line.at.y + 8)}">${line.via}</text></g>`;

function oneBox(box: Box, airflow: string): Html {
  const [dag] = box.dags as [BlastDag];
  const under = `${MARK_WORDS[dag.mark]}${dag.airflow === airflow ? '' : ` · ${dag.airflow}`}`;
  return html`<a href="${dagPath(dag.airflow, dag.dagId)}" tabindex="-1"><g class="box mark-${dag.mark}"><title>${dag.dagId}: ${dag.why}</title>
<rect x="${round(box.x)}" y="${round(box.y)}" width="${box.width}" height="${box.height}" rx="7"/>
<text class="id" x="${round(box.x + 12)}" y="${round(box.y + 19)}">${shortened(dag.dagId, 22)}</text>
<text class="under" x="${round(box.x + 12)}" y="${round(box.y + 35)}">${under}</text></g></a>`;
}

function bundle(box: Box): Html {
  const chips = chipsOf(box);
  const rest = box.dags.length - chips.length;
  const rows = Math.ceil(chips.length / box.columns);
  const place = (i: number) => ({
    x: box.x + BOX.pad + Math.floor(i / rows) * (BOX.width + BOX.gap),
    y: box.y + BOX.pad + BOX.head + (i % rows) * (BOX.chip + BOX.gap),
  });
  const chip = (dag: BlastDag, i: number) => {
    const { x, y } = place(i);
    return html`<a href="${dagPath(dag.airflow, dag.dagId)}" tabindex="-1"><g class="chip mark-${dag.mark}"><title>${dag.dagId}: ${dag.why}</title>
<rect x="${round(x)}" y="${round(y)}" width="${BOX.width}" height="${BOX.chip}" rx="5"/><text class="id" x="${round(x + 10)}" y="${round(y + 17)}">${shortened(dag.dagId, 22)}</text></g></a>`;
  };
  return html`<g class="box bundle mark-${box.mark}"><rect x="${round(box.x)}" y="${round(box.y)}" width="${box.width}" height="${box.height}" rx="9"/>
<text class="id" x="${round(box.x + BOX.pad + 2)}" y="${round(box.y + 21)}">${box.dags.length} DAGs ${MARK_WORDS[box.mark]}</text></g>${chips.map(chip)}
${rest > 0 && html`<text class="under" x="${round(box.x + BOX.pad)}" y="${round(box.y + box.height - 12)}">and ${rest} more, in the table</text>`}`;
}

function table(view: IncidentView, blast: Blast): Html {
  const rows = blast.dags.filter((dag) => dag.mark !== 'failing' && dag.mark !== 'passed');
  const filter = rows.length >= SHOWN_AS_FILTER;
  return html`<details class="as-table" id="blast-table-${view.incident.id}"${rows.length < SHOWN_AS_FILTER ? new Html(' open') : ''}><summary>As a table: ${plural(rows.length, 'DAG')} with their reasons</summary>
${filter && html`<p class="filter" hidden><label for="blast-filter">Filter</label> <input id="blast-filter" data-filter="blast-rows" autocomplete="off" spellcheck="false"></p>`}
<div class="scroll"><table class="rows blast" id="blast-rows"><caption class="sr">DAGs that read what ${view.incident.dagId} makes</caption>
<thead><tr><th scope="col">DAG</th><th scope="col">State</th><th scope="col">Reason</th><th scope="col">Way</th></tr></thead>
<tbody>${rows.map(tableRow)}</tbody></table></div></details>`;
}

const tableRow = (
  dag: BlastDag,
): Html => html`<tr><th scope="row">${dagLink(dag)}</th><td>${badge(`mark-${dag.mark}`, MARK_WORDS[dag.mark])}</td><td>${dag.why}</td>
<td>${dag.path.map((link) => html`<div class="way">${link}</div>`)}</td></tr>`;

/** Through the middles of the points that dagre gives, with rounded corners. */
function smooth(points: Line['points']): string {
  const [first, ...rest] = points;
  const last = rest.at(-1);
  if (first === undefined || last === undefined) return '';
  let path = `M${round(first.x)} ${round(first.y)}`;
  rest.slice(0, -1).forEach((point, i) => {
    const next = rest[i + 1] ?? last;
    const end = i === rest.length - 2 ? last : { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 };
    path += ` Q${round(point.x)} ${round(point.y)} ${round(end.x)} ${round(end.y)}`;
  });
  return rest.length === 1 ? `${path} L${round(last.x)} ${round(last.y)}` : path;
}

const round = (value: number): number => Math.round(value * 10) / 10;
