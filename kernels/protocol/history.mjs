// What was run since the kernel started, as `history_request` asks for it.

/** The one session that this kernel remembers. */
const SESSION = 1;

export function createHistory() {
  /** @type {{line: number, source: string, output?: string}[]} */
  const entries = [];

  const matching = (pattern, unique) => {
    const parts = pattern
      .split(/([*?])/)
      .map((part) =>
        part === "*" ? ".*" : part === "?" ? "." : part.replace(/[.+^${}()|[\]\\]/g, "\\$&"),
      );
    const glob = new RegExp(`^${parts.join("")}$`, "s");
    const found = entries.filter(({ source }) => glob.test(source));
    if (!unique) return found;
    return found.filter(
      (entry, at) => found.findLastIndex((o) => o.source === entry.source) === at,
    );
  };

  return {
    add: (line, source) => entries.push({ line, source }),
    /** The text of a cell's result. */
    setOutput(line, output) {
      const entry = entries.findLast((one) => one.line === line);
      if (entry !== undefined) entry.output = output;
    },
    /** @returns {[number, number, string | [string, string | null]][]} session, line, source or [source, output] */
    ask({ hist_access_type: how, n, start = 0, stop, pattern = "*", unique, output, session = 0 }) {
      const own = session === 0 || session === SESSION;
      const of = {
        tail: () => entries.slice(-(n ?? entries.length) || entries.length),
        range: () =>
          own ? entries.filter(({ line }) => line >= start && line < (stop ?? Infinity)) : [],
        search: () => matching(pattern, unique === true).slice(-(n ?? 0)),
      }[how];
      return (of?.() ?? []).map(({ line, source, output: shown }) => [
        SESSION,
        line,
        output === true ? [source, shown ?? null] : source,
      ]);
    },
  };
}
