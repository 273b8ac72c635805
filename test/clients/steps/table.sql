CREATE TABLE patient (
  id    integer PRIMARY KEY,
  nir   sealed_text(nir) UNIQUE,
  name  sealed_text(identity),
  born  sealed_date(identity),
  seen  sealed_timestamptz(clinical),
  dose  sealed_numeric(clinical),
  note  sealed_text(clinical));
