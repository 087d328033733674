"""Every statement of the crate, parsed by PostgreSQL's own parser (libpg_query).

Only what is listed here may be used: what PostgreSQL, CockroachDB, YugabyteDB and Aurora DSQL share.
docs/scaling.md has what an owner changes for them: collations of columns, and a rotation on CockroachDB.
The crate writes its statements to the file in KEYCELL_SQL, as a JSON object.
"""

import json
import os
import pathlib

import pglast
import pytest
from pglast import ast
from pglast.visitors import Visitor

CRATE = pathlib.Path(__file__).parents[2]

# The nodes of a parse tree. A statement with any other one fails.
SHARED = {
    "A_ArrayExpr", "A_Const", "A_Expr", "Alias", "BoolExpr", "CaseExpr", "ColumnRef", "CommonTableExpr", "DeleteStmt",
    "FuncCall", "InferClause", "IndexElem", "InsertStmt", "Integer", "JoinExpr", "MinMaxExpr", "NullTest",
    "OnConflictClause", "ParamRef", "RangeFunction", "RangeVar", "RawStmt", "ResTarget", "ReturningClause", "RowExpr", "SelectStmt", "SortBy",
    "String", "SubLink", "TypeCast", "TypeName", "UpdateStmt", "WithClause",
}
MIGRATIONS = SHARED | {"CollateClause", "ColumnDef", "Constraint", "CreateSchemaStmt", "CreateStmt", "IndexStmt"}
FUNCTIONS = {"current_setting", "max", "unnest"}
COLUMN_TYPES = {"text", "int8", "bytea"}
CONSTRAINTS = {"CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_NOTNULL"}


class Portable(Visitor):
    def __init__(self, nodes):
        super().__init__()
        self.nodes = nodes
        self.problems = []

    def visit(self, ancestors, node):
        kind = type(node).__name__
        if kind not in self.nodes:
            self.problems.append(f"{kind} is not shared by all databases")
        if isinstance(node, ast.FuncCall) and node.funcname[-1].sval not in FUNCTIONS:
            self.problems.append(f"the function {node.funcname[-1].sval}")
        if isinstance(node, ast.SelectStmt) and (node.lockingClause or node.windowClause or node.distinctClause):
            self.problems.append("a lock, a window or DISTINCT")
        if isinstance(node, ast.RangeVar) and node.schemaname not in ("keycell", "information_schema"):
            if not is_common_table(ancestors, node.relname):
                self.problems.append(f"the table {node.relname} has no schema, so it depends on the session")
        if isinstance(node, ast.CreateStmt) and (node.relation.relpersistence != "p" or node.inhRelations):
            self.problems.append("a table that is not an ordinary one")
        if isinstance(node, ast.ColumnDef) and node.typeName.names[-1].sval not in COLUMN_TYPES:
            self.problems.append(f"the column type {node.typeName.names[-1].sval}")
        if isinstance(node, ast.ColumnDef) and node.typeName.arrayBounds:
            self.problems.append("a column of arrays")
        if isinstance(node, ast.Constraint) and node.contype.name not in CONSTRAINTS:
            self.problems.append(f"the constraint {node.contype.name}")
        if isinstance(node, ast.CollateClause) and node.collname[-1].sval != "C":
            self.problems.append("a collation other than C")
        if isinstance(node, ast.IndexStmt) and (node.whereClause or node.accessMethod != "btree"):
            self.problems.append("an index that is partial or not a B-tree")


def is_common_table(ancestors, name):
    while ancestors is not None and ancestors.node is not None:
        clause = getattr(ancestors.node, "withClause", None)
        if clause and any(table.ctename == name for table in clause.ctes):
            return True
        # A common table of the statement around it, too.
        ancestors = ancestors.parent
    return False


def problems(sql, nodes=SHARED):
    visitor = Portable(nodes)
    visitor(pglast.parse_sql(sql))
    return visitor.problems


def changed_twice(sql):
    """The tables that a statement changes in several of its parts."""
    tables = []

    class Changes(Visitor):
        def visit(self, ancestors, node):
            if isinstance(node, (ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt)):
                tables.append(node.relation.relname)

    Changes()(pglast.parse_sql(sql))
    return {table for table in tables if tables.count(table) > 1}


def statements():
    return json.loads(pathlib.Path(os.environ["KEYCELL_SQL"]).read_text())


def test_every_statement_is_portable():
    found = {name: problems(sql) for name, sql in statements().items()}
    assert len(found) >= 20
    assert {name: those for name, those in found.items() if those} == {}


def test_every_statement_is_one():
    assert {name: len(pglast.parse_sql(sql)) for name, sql in statements().items()} == dict.fromkeys(statements(), 1)


def test_only_a_rotation_changes_a_table_twice():
    # CockroachDB refuses it without a session variable.
    found = {name: changed_twice(sql) for name, sql in statements().items()}
    assert {name: tables for name, tables in found.items() if tables} == {"ROTATE_KEY": {"api_keys"}}


def test_every_migration_is_portable():
    files = sorted((CRATE / "src/migrations").glob("*.sql"))
    assert files
    for file in files:
        assert problems(file.read_text(), MIGRATIONS) == []


@pytest.mark.parametrize("sql", [
    "SAVEPOINT a",
    "LISTEN a",
    "NOTIFY a",
    "TRUNCATE keycell.api_keys",
    "SELECT pg_advisory_lock(1)",
    "SELECT nextval('keycell.a')",
    "SELECT id FROM keycell.api_keys FOR UPDATE",
    "SELECT id FROM api_keys",
    "PREPARE a AS SELECT 1",
    "SET search_path = keycell",
    "SELECT now()",
])
def test_a_statement_that_is_not_portable_is_found(sql):
    assert problems(sql)


@pytest.mark.parametrize("sql", [
    "CREATE TABLE keycell.a (b jsonb)",
    "CREATE TABLE keycell.a (b text[])",
    "CREATE TABLE keycell.a (b text COLLATE \"de_DE\")",
    "CREATE TABLE keycell.a (b text REFERENCES keycell.c (d))",
    "CREATE TABLE keycell.a (b text CHECK (b > ''))",
    "CREATE TABLE keycell.a (b bigint GENERATED ALWAYS AS IDENTITY)",
    "CREATE TEMPORARY TABLE keycell.a (b text)",
    "CREATE SEQUENCE keycell.a",
    "CREATE INDEX a ON keycell.b (c) WHERE c > ''",
    "CREATE INDEX a ON keycell.b USING gin (c)",
    "CREATE EXTENSION a",
    "CREATE TRIGGER a AFTER INSERT ON keycell.b EXECUTE FUNCTION c()",
])
def test_a_migration_that_is_not_portable_is_found(sql):
    assert problems(sql, MIGRATIONS)
