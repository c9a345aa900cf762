"""What the tests against real servers share."""

#: Every right on every table of the schema, told independently of the code under test.
ACL_SQL = """
SELECT c.relname, NULL, pg_get_userbyid(a.grantor), a.grantee::regrole::text, a.privilege_type, a.is_grantable
FROM pg_class c, LATERAL aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner))) a
WHERE c.relnamespace = 'sales'::regnamespace AND c.relkind IN ('r', 'p', 'v')
UNION ALL
SELECT c.relname, t.attname, pg_get_userbyid(a.grantor), a.grantee::regrole::text, a.privilege_type, a.is_grantable
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, LATERAL aclexplode(t.attacl) a
WHERE c.relnamespace = 'sales'::regnamespace AND NOT t.attisdropped
"""
