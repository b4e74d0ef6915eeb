// What a cell's TypeScript becomes: the body of one async function, in which the names that cells share are properties of
// one object. A later cell may so declare a name again, and functions of earlier cells see its new value.

/** The parameters of a cell's function, by what the session passes. */
export const PARAMETERS = ["$cells", "$gate", "$scope", "require"];
const [CELLS, GATE, SCOPE] = PARAMETERS;

/**
 * The names that the top of a cell declares.
 * @param {typeof import("typescript")} ts
 * @param {import("typescript").SourceFile} file
 * @returns {Map<string, {kind: "let" | "const" | "other", exported: boolean}>}
 */
export function declaredNames(ts, file) {
  const names = new Map();
  const isExported = (node) =>
    node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
  const add = (name, kind, node) =>
    names.set(name.text, { kind, exported: isExported(node) === true });
  const addPattern = (name, kind, node) => {
    if (ts.isIdentifier(name)) return add(name, kind, node);
    for (const element of name.elements) {
      if (!ts.isOmittedExpression(element)) addPattern(element.name, kind, node);
    }
  };
  /** `var` in a block or a loop belongs to the whole cell. */
  const addHoisted = (node) => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleDeclaration(node)) return;
    if (isVarList(ts, node)) {
      for (const { name } of node.declarations) addPattern(name, "let", node);
    }
    ts.forEachChild(node, addHoisted);
  };
  for (const node of file.statements) {
    if (ts.isVariableStatement(node)) {
      const kind = node.declarationList.flags & ts.NodeFlags.Const ? "const" : "let";
      for (const { name } of node.declarationList.declarations) addPattern(name, kind, node);
    } else if (ts.isImportDeclaration(node)) {
      const { name, namedBindings } = node.importClause ?? {};
      if (name) add(name, "other", node);
      if (namedBindings && ts.isNamespaceImport(namedBindings))
        add(namedBindings.name, "other", node);
      else for (const one of namedBindings?.elements ?? []) add(one.name, "other", node);
    } else if (isNamed(ts, node) && node.name !== undefined && ts.isIdentifier(node.name)) {
      add(node.name, ts.isFunctionDeclaration(node) ? "const" : "other", node);
    } else addHoisted(node);
  }
  return names;
}

const isVarList = (ts, node) =>
  ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.BlockScoped) === 0;

const isNamed = (ts, node) =>
  ts.isFunctionDeclaration(node) ||
  ts.isClassDeclaration(node) ||
  ts.isEnumDeclaration(node) ||
  ts.isModuleDeclaration(node) ||
  ts.isInterfaceDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  ts.isImportEqualsDeclaration(node);

/**
 * A transformer for `program.emit`.
 * @param {typeof import("typescript")} ts
 * @param {import("typescript").TypeChecker} checker
 * @param {{from: number, to: number, resolve(specifier: string): string}} cell where the cell's own text lies in its
 *   module, and what its module names are to the session
 */
export function rewriteCell(ts, checker, { from, to, resolve }) {
  return (context) => (file) => {
    const { factory: f } = context;
    const shared = new Set(file.locals?.values());

    const isShared = (node) => {
      const parent = node.parent;
      const symbol = ts.isShorthandPropertyAssignment(parent)
        ? checker.getShorthandAssignmentValueSymbol(parent)
        : checker.getSymbolAtLocation(node);
      if (symbol === undefined) return false;
      if (shared.has(symbol)) return true;
      // `export const x`: the name outside is another symbol than the one inside.
      return file.locals?.get(node.text)?.exportSymbol === symbol;
    };
    const at = (made, node) => ts.setOriginalNode(ts.setTextRange(made, node), node);
    const property = (name) => f.createPropertyAccessExpression(f.createIdentifier(CELLS), name);
    const shareOf = (node) => at(property(node.text), node);
    const call = (object, method, args) =>
      f.createCallExpression(
        f.createPropertyAccessExpression(f.createIdentifier(object), method),
        undefined,
        args,
      );
    /** Without its object: `f()` is no method call. */
    const detached = (node) =>
      at(
        f.createParenthesizedExpression(f.createComma(f.createNumericLiteral(0), shareOf(node))),
        node,
      );

    const visit = (node) => {
      if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return node;
      if (ts.isIdentifier(node))
        return isReference(ts, node) && isShared(node) ? shareOf(node) : node;
      if (ts.isShorthandPropertyAssignment(node)) return visitShorthand(node);
      if (isHoisted(node)) return visitHoisted(node);
      if (ts.isVariableStatement(node) && isHoisted(node.declarationList)) {
        const assigned = visitHoisted(node.declarationList);
        const made =
          assigned === undefined ? f.createEmptyStatement() : f.createExpressionStatement(assigned);
        return at(made, node);
      }
      const callee = ts.isCallExpression(node) ? node.expression : node.tag;
      if (callee !== undefined && ts.isIdentifier(callee) && isShared(callee)) {
        const rest = ts.visitEachChild(
          node,
          (child) => (child === callee ? child : visit(child)),
          context,
        );
        return ts.isCallExpression(rest)
          ? at(f.createCallExpression(detached(callee), undefined, rest.arguments), node)
          : at(f.createTaggedTemplateExpression(detached(callee), undefined, rest.template), node);
      }
      if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
        const [name, ...rest] = node.arguments;
        const known = ts.isStringLiteral(name)
          ? f.createStringLiteral(resolve(name.text))
          : visit(name);
        return at(call(SCOPE, "load", [known, ...rest]), node);
      }
      if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) {
        return at(f.createPropertyAccessExpression(f.createIdentifier(SCOPE), "meta"), node);
      }
      if (ts.isAwaitExpression(node)) {
        const waited = f.createCallExpression(f.createIdentifier(GATE), undefined, [
          visit(node.expression),
        ]);
        return at(f.createAwaitExpression(at(waited, node)), node);
      }
      if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) {
        const { awaitModifier, initializer, expression, statement } = /** @type {typeof node} */ (
          ts.visitEachChild(node, visit, context)
        );
        const each = call(GATE, "each", [expression]);
        return at(f.createForOfStatement(awaitModifier, initializer, each, statement), node);
      }
      return ts.visitEachChild(node, visit, context);
    };

    /** Whether a list of `var` belongs to the cell, rather than to a function in it. */
    const isHoisted = (node) => {
      if (!isVarList(ts, node)) return false;
      let [{ name }] = node.declarations;
      while (name !== undefined && !ts.isIdentifier(name)) {
        name = name.elements.find((element) => !ts.isOmittedExpression(element))?.name;
      }
      return name !== undefined && shared.has(checker.getSymbolAtLocation(name));
    };

    /** `var` in a block or at the head of a loop as an expression; undefined where nothing is assigned. */
    const visitHoisted = (node) => {
      const isTarget = ts.isForOfStatement(node.parent) || ts.isForInStatement(node.parent);
      if (isTarget) return target(node.declarations[0].name);
      return node.declarations
        .filter(({ initializer }) => initializer !== undefined)
        .map(assignment)
        .reduce((all, one) => (all === undefined ? one : f.createComma(all, one)), undefined);
    };

    const visitShorthand = (node) => {
      const value = node.objectAssignmentInitializer;
      if (!isShared(node.name)) return ts.visitEachChild(node, visit, context);
      const share = shareOf(node.name);
      const made = value === undefined ? share : f.createAssignment(share, visit(value));
      return at(f.createPropertyAssignment(node.name.text, made), node);
    };

    /** `{ a, b: [c = 1] }` of a declaration as the target of an assignment. */
    const target = (name) => {
      if (ts.isIdentifier(name)) return shareOf(name);
      if (ts.isArrayBindingPattern(name)) {
        return f.createArrayLiteralExpression(
          name.elements.map((element) => {
            if (ts.isOmittedExpression(element)) return element;
            const inner = withDefault(element);
            return element.dotDotDotToken ? f.createSpreadElement(inner) : inner;
          }),
        );
      }
      return f.createObjectLiteralExpression(
        name.elements.map((element) => {
          if (element.dotDotDotToken) return f.createSpreadAssignment(target(element.name));
          const key = element.propertyName ?? f.createIdentifier(element.name.text);
          const named = ts.isComputedPropertyName(key)
            ? ts.visitEachChild(key, visit, context)
            : key;
          return f.createPropertyAssignment(named, withDefault(element));
        }),
      );
    };
    const withDefault = ({ name, initializer }) =>
      initializer === undefined
        ? target(name)
        : f.createAssignment(target(name), visit(initializer));

    const isAnonymous = (expression) => {
      const bare = ts.skipParentheses(expression);
      return (
        ts.isArrowFunction(bare) ||
        ((ts.isFunctionExpression(bare) || ts.isClassExpression(bare)) && bare.name === undefined)
      );
    };

    /** A function without a name takes the name of its variable, as in a declaration. */
    const named = (name, initializer) => {
      const value = visit(initializer);
      if (!isAnonymous(initializer)) return value;
      const holder = f.createObjectLiteralExpression([
        f.createPropertyAssignment(name.text, value),
      ]);
      return f.createPropertyAccessExpression(f.createParenthesizedExpression(holder), name.text);
    };

    const assignment = ({ name, initializer }) => {
      if (!ts.isIdentifier(name)) return f.createAssignment(target(name), visit(initializer));
      const value = initializer === undefined ? f.createVoidZero() : named(name, initializer);
      return f.createAssignment(shareOf(name), value);
    };

    const variables = (node) =>
      node.declarationList.declarations.map((declaration) =>
        at(f.createExpressionStatement(assignment(declaration)), declaration),
      );

    const imported = (node) => {
      const clause = node.importClause;
      const names = [];
      const isValue = (name) => {
        const symbol = checker.getSymbolAtLocation(name);
        const meant =
          symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
        return (
          meant === undefined || (meant.flags & ts.SymbolFlags.Value) !== 0 || meant.flags === 0
        );
      };
      const pair = (local, exported) => {
        if (isValue(local)) names.push([local.text, exported]);
      };
      if (clause?.isTypeOnly) return [];
      if (clause?.name) pair(clause.name, "default");
      const { namedBindings } = clause ?? {};
      if (namedBindings && ts.isNamespaceImport(namedBindings))
        names.push([namedBindings.name.text, "*"]);
      else {
        for (const one of namedBindings?.elements ?? []) {
          if (!one.isTypeOnly) pair(one.name, (one.propertyName ?? one.name).text);
        }
      }
      if (clause !== undefined && names.length === 0) return [];
      const list = names.map((both) =>
        f.createArrayLiteralExpression(both.map((text) => f.createStringLiteral(text))),
      );
      const args = [
        f.createStringLiteral(resolve(node.moduleSpecifier.text)),
        f.createArrayLiteralExpression(list),
      ];
      return [
        at(f.createExpressionStatement(f.createAwaitExpression(call(SCOPE, "import", args))), node),
      ];
    };

    const first = [];
    const body = [];
    const isAmbient = (node) =>
      node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword);
    const own = file.statements.filter((node) => node.getStart(file) >= from && node.end <= to);
    for (const node of own) {
      if (isAmbient(node) || ts.isExportDeclaration(node)) continue;
      if (ts.isImportDeclaration(node)) first.push(...imported(node));
      else if (ts.isVariableStatement(node)) body.push(...variables(node));
      else if (ts.isExpressionStatement(node) && node === own.at(-1)) {
        const shown = visit(node.expression);
        // As a property's own value a function would take the property's name.
        const value = f.createPropertyAssignment(
          "value",
          isAnonymous(node.expression) ? f.createComma(f.createNumericLiteral(0), shown) : shown,
        );
        body.push(at(f.createReturnStatement(f.createObjectLiteralExpression([value])), node));
      } else if (isNamed(ts, node)) {
        const kept = ts.isEnumDeclaration(node) ? node : ts.visitEachChild(node, visit, context);
        body.push(withoutExport(ts, f, kept));
        const { name } = node;
        const isValue = ts.isFunctionDeclaration(node)
          ? node.body !== undefined
          : hasValue(ts, checker, node);
        if (name === undefined || !ts.isIdentifier(name) || !isValue) continue;
        // Functions are there from the start, as everywhere in JavaScript.
        const share = f.createExpressionStatement(
          f.createAssignment(property(name.text), f.createIdentifier(name.text)),
        );
        (ts.isFunctionDeclaration(node) ? first : body).push(share);
      } else if (ts.isExportAssignment(node)) {
        body.push(at(f.createExpressionStatement(visit(node.expression)), node));
      } else body.push(visit(node));
    }
    return f.updateSourceFile(file, [...first, ...body]);
  };
}

/** Whether a declaration leaves something when the cell runs; types do not. */
function hasValue(ts, checker, node) {
  if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return false;
  const symbol = checker.getSymbolAtLocation(node.name);
  return symbol !== undefined && (symbol.flags & ts.SymbolFlags.Value) !== 0;
}

function withoutExport(ts, f, node) {
  const kept = node.modifiers?.filter(
    ({ kind }) => kind !== ts.SyntaxKind.ExportKeyword && kind !== ts.SyntaxKind.DefaultKeyword,
  );
  if (kept === undefined || kept.length === node.modifiers.length) return node;
  if (ts.isFunctionDeclaration(node)) {
    const { asteriskToken, name, typeParameters, parameters, type, body } = node;
    return f.updateFunctionDeclaration(
      node,
      kept,
      asteriskToken,
      name,
      typeParameters,
      parameters,
      type,
      body,
    );
  }
  if (ts.isClassDeclaration(node)) {
    const { name, typeParameters, heritageClauses, members } = node;
    return f.updateClassDeclaration(node, kept, name, typeParameters, heritageClauses, members);
  }
  if (ts.isEnumDeclaration(node))
    return f.updateEnumDeclaration(node, kept, node.name, node.members);
  if (ts.isModuleDeclaration(node))
    return f.updateModuleDeclaration(node, kept, node.name, node.body);
  return node;
}

/** Whether an identifier is read or written as a variable, rather than naming a declaration or a property. */
function isReference(ts, node) {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent) || ts.isEnumMember(parent))
    return parent.initializer === node;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  if (ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent)) return false;
  return parent.name !== node;
}
