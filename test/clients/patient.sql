CREATE TABLE patient (
  id       integer PRIMARY KEY,
  nir      sealed_text(nir) UNIQUE,
  name     sealed_text(identity),
  born     sealed_date(identity),
  token    sealed_uuid(identity),
  alive    sealed_bool(clinical),
  visits   sealed_int(clinical),
  weight   sealed_float8(clinical),
  dose     sealed_numeric(clinical),
  seen     sealed_timestamptz(clinical),
  record   sealed_jsonb(clinical),
  scan     sealed_bytea(clinical));
GRANT SELECT, INSERT ON patient TO client_intern;
