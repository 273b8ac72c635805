CREATE VIEW patient_revealed WITH (security_invoker = true) AS SELECT id, seal.show(nir) AS nir, seal.show(name) AS name, seal.show(born) AS born, seal.show(seen) AS seen, seal.show(dose) AS dose, seal.show(note) AS note FROM patient;
GRANT SELECT, INSERT, UPDATE ON patient, patient_revealed TO client_intern;
