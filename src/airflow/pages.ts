/** Lists that come in pages. */

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** `total_entries` where given; a hint only: it is null in cursor mode and ignores filters in places (`/datasets` of 2.11.2). */
  readonly total: number | null | undefined;
}

export type FetchPage<Row> = (limit: number, offset: number) => Promise<Page<Row>>;

/** The cap that both generations apply without a word (`[api] maximum_page_limit`); it can be configured lower. */
export const pageSize = 100;
const mostPages = 2_000;

/**
 * Every page. The end is judged by the rows that came, never by the limit that was asked for: a site whose cap is below 100 answers
 * full pages that look short, so a short page only counts where the total agrees. Rows are told apart by `key`, because offset
 * paging shows a row twice when one is inserted before it.
 */
export const allPages = async <Row>(
  fetchPage: FetchPage<Row>,
  key: (row: Row) => string,
  most = Number.POSITIVE_INFINITY,
): Promise<readonly Row[]> => {
  const found = new Map<string, Row>();
  let offset = 0;
  for (let page = 0; page < mostPages && found.size < most; page++) {
    const limit = Math.min(pageSize, most - found.size);
    const { rows, total } = await fetchPage(limit, offset);
    for (const row of rows) found.set(key(row), row);
    offset += rows.length;
    if (rows.length === 0) break;
    if (rows.length < limit && !(typeof total === 'number' && total > offset)) break;
  }
  return [...found.values()].slice(0, most);
};
