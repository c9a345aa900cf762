/** In which order test files begin: what lasts longest must not begin last, when one core works and the other waits. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** `parts`: of the files' names, the longest first; all others after them, in vitest's own order. */
export const longestFirst = (parts: readonly string[]): typeof BaseSequencer =>
  class extends BaseSequencer {
    override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
      const rank = ({ moduleId }: TestSpecification) => {
        const at = parts.findIndex((part) => moduleId.includes(part));
        return at < 0 ? parts.length : at;
      };
      return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
    }
  };
