// tslab reads an earlier cell's variable `x` as `exports.x`, but overlooks it in `{ x }`, which fails with "x is not
// defined". Cells are therefore given to it with `{ x: x }`, which means the same everywhere.

/**
 * @param {typeof import("typescript")} ts
 * @param {string} source a cell
 * @param {string} declarations what earlier cells declared; names that are not in it stay as they are
 */
export function spellOutShorthands(ts, source, declarations) {
  const known = new Set(declarations.match(/[\w$]+/g));
  // As a module, so that `await` at the top is one.
  const file = ts.createSourceFile("cell.ts", `${source}\nexport {};`, ts.ScriptTarget.ESNext);
  const ends = [];
  const visit = (node) => {
    const plain = ts.isShorthandPropertyAssignment(node) && !node.objectAssignmentInitializer;
    if (plain && known.has(node.name.text)) ends.push([node.name.end, node.name.text]);
    ts.forEachChild(node, visit);
  };
  visit(file);
  // From the back, so that the places in front stay where they are.
  for (const [at, name] of ends.reverse()) {
    source = `${source.slice(0, at)}: ${name}${source.slice(at)}`;
  }
  return source;
}
