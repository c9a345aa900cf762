/** Lists that come in pages. */
import { isLate } from './client.ts';

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** `total_entries` where given; a hint only: it is null in cursor mode and ignores filters in places (`/datasets` of 2.11.2). */
  readonly total: number | null | undefined;
}

export type FetchPage<Row> = (limit: number, offset: number) => Promise<Page<Row>>;

/** The cap that both generations apply without a word (`[api] maximum_page_limit`); it can be configured lower. */
export const pageSize = 100;
const smallestPage = 25;
const mostPages = 2_000;
/** So many pages in time, and twice as much is asked for again. */
const enoughInTime = 5;

/**
 * How much one list of the poll is asked for at a time. Large sites answer 100 runs after 15-51 s or not at all (Airflow #49800, #55071, #56635): half of
 * it is asked for before anybody gives up. Pages are told apart by the rows that came, so their size may change in the middle of a list.
 */
export class PageSize {
  #rows = pageSize;
  #inTime = 0;
  get rows(): number {
    return this.#rows;
  }
  async heed<T>(asking: Promise<T>): Promise<T> {
    try {
      const page = await asking;
      this.#inTime += 1;
      if (this.#inTime >= enoughInTime) this.#set(Math.min(pageSize, this.#rows * 2));
      return page;
    } catch (error) {
      if (isLate(error)) this.#set(Math.max(smallestPage, Math.ceil(this.#rows / 2)));
      throw error;
    }
  }
  #set(rows: number): void {
    this.#rows = rows;
    this.#inTime = 0;
  }
}

/**
 * Every page. The end is judged by the rows that came, never by the limit that was asked for: a site whose cap is below 100 answers
 * full pages that look short, so a short page only counts where the total agrees. Rows are told apart by `key`, because offset
 * paging shows a row twice when one is inserted before it.
 */
export const allPages = async <Row>(
  fetchPage: FetchPage<Row>,
  key: (row: Row) => string,
  most = Number.POSITIVE_INFINITY,
  size = new PageSize(),
): Promise<readonly Row[]> => {
  const found = new Map<string, Row>();
  let offset = 0;
  for (let page = 0; page < mostPages && found.size < most; page++) {
    const limit = Math.min(size.rows, most - found.size);
    const { rows, total } = await size.heed(fetchPage(limit, offset));
    for (const row of rows) found.set(key(row), row);
    offset += rows.length;
    if (rows.length === 0) break;
    if (rows.length < limit && !(typeof total === 'number' && total > offset)) break;
  }
  return [...found.values()].slice(0, most);
};
