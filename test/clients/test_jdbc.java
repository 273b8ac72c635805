/*
 * JDBC: strings come as varchar, dates and timestamps without a type or with
 * their own, numbers in binary once a statement is prepared in the server.
 * Over TCP, with a password, which is all that the driver knows.
 */
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.postgresql.PGConnection;
import org.postgresql.PGStatement;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PGobject;

public class test_jdbc {
    private static final UUID TOKEN = UUID.fromString("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    private static final OffsetDateTime SEEN = OffsetDateTime.parse("2021-02-23T10:15:30.250+01:00");

    private static int count;
    private static int failed;
    private static Connection app;

    private static void ok(boolean passed, String name) {
        count++;
        failed += passed ? 0 : 1;
        System.out.println((passed ? "ok " : "not ok ") + count + " - " + name);
    }

    private static void equal(Object got, Object expected, String name) {
        ok(Objects.equals(got, expected), name);
        if (!Objects.equals(got, expected)) {
            System.out.println("# got " + got + ", expected " + expected);
        }
    }

    private static String url(String parameters) {
        return "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE") + "?" + parameters;
    }

    private static void execute(String sql) throws SQLException {
        try (Statement statement = app.createStatement()) {
            statement.execute(sql);
        }
    }

    private static PreparedStatement prepare(Connection connection, String sql, Object... parameters) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(sql);
        for (int i = 0; i < parameters.length; i++) {
            statement.setObject(i + 1, parameters[i]);
        }
        return statement;
    }

    /** First column of a query, as the driver's getObject() has it. */
    private static List<Object> column(String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = prepare(app, sql, parameters); ResultSet rows = statement.executeQuery()) {
            List<Object> values = new ArrayList<>();
            while (rows.next()) {
                values.add(rows.getObject(1));
            }
            return values;
        }
    }

    private static Object one(String sql, Object... parameters) throws SQLException {
        return column(sql, parameters).get(0);
    }

    private static String stateOf(Connection connection, String sql, Object... parameters) {
        try (PreparedStatement statement = prepare(connection, sql, parameters)) {
            statement.execute();
            return null;
        } catch (SQLException error) {
            return error.getSQLState();
        }
    }

    private static void testWrite() throws Exception {
        execute(Files.readString(Path.of("test/clients/patient.sql")));
        String insert = "INSERT INTO patient (id, nir, name, born, token, alive, visits, weight, dose, seen, record, scan)"
            + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?::jsonb, ?)";
        try (PreparedStatement statement = app.prepareStatement(insert)) {
            // The driver prepares in the server, and then sends binary, from the threshold on.
            statement.unwrap(PGStatement.class).setPrepareThreshold(2);
            for (int id = 1; id <= 4; id++) {
                statement.setInt(1, id);
                statement.setString(2, "nir " + id);
                statement.setString(3, "Léger");
                statement.setDate(4, Date.valueOf("1984-12-03"));
                statement.setObject(5, TOKEN);
                statement.setBoolean(6, true);
                statement.setInt(7, 7);
                statement.setDouble(8, 71.5);
                statement.setBigDecimal(9, new BigDecimal("0.30"));
                statement.setObject(10, SEEN);
                statement.setString(11, "{\"hiv\": \"positive\"}");
                statement.setBytes(12, new byte[] {0, (byte) 255, '\\'});
                statement.executeUpdate();
            }
            ok(statement.unwrap(PGStatement.class).isUseServerPrepare(), "the statement is prepared in the server");
        }
        everyRow("nir", List.of("nir 1", "nir 2", "nir 3", "nir 4"));
        everyRow("name", Collections.nCopies(4, "Léger"));
        everyRow("born", Collections.nCopies(4, Date.valueOf("1984-12-03")));
        everyRow("token", Collections.nCopies(4, TOKEN));
        everyRow("alive", Collections.nCopies(4, true));
        everyRow("visits", Collections.nCopies(4, 7L));
        everyRow("weight", Collections.nCopies(4, 71.5));
        everyRow("dose", Collections.nCopies(4, new BigDecimal("0.30")));
        everyRow("seen", Collections.nCopies(4, Timestamp.from(SEEN.toInstant())));
        equal(one("SELECT encode(seal.reveal(scan), 'hex') FROM patient"), "00ff5c", "insert and reveal: scan");
        equal(one("SELECT seal.reveal(record)->>'hiv' FROM patient"), "positive", "insert and reveal: record");
    }

    private static void everyRow(String name, List<?> expected) throws SQLException {
        equal(column("SELECT seal.reveal(" + name + ") FROM patient ORDER BY id"), expected,
            "insert, in text and in binary, and reveal: " + name);
    }

    private static void testUpdate() throws SQLException {
        try (PreparedStatement statement = app.prepareStatement("UPDATE patient SET born = ?, seen = ?, visits = ?, nir = ? WHERE id = 1")) {
            statement.setObject(1, LocalDate.of(1984, 12, 4));
            statement.setTimestamp(2, Timestamp.from(SEEN.toInstant()));
            statement.setLong(3, 1L << 40);
            statement.setObject(4, "first", Types.VARCHAR);
            statement.executeUpdate();
        }
        equal(one("SELECT born::text || ' ' || seal.reveal(visits) || ' ' || seal.reveal(nir) FROM patient WHERE id = 1"),
            "1984-12-04 1099511627776 first", "update: LocalDate, Timestamp, long, String as VARCHAR");
        try (PreparedStatement statement = app.prepareStatement("UPDATE patient SET name = ?, born = ?, visits = ?, dose = ? WHERE id = 1")) {
            statement.setNull(1, Types.VARCHAR);
            statement.setNull(2, Types.DATE);
            statement.setNull(3, Types.BIGINT);
            statement.setNull(4, Types.NUMERIC);
            equal(statement.executeUpdate(), 1, "update: nulls with the type of the plain column");
        }
        equal(one("SELECT name IS NULL AND born IS NULL AND visits IS NULL AND dose IS NULL FROM patient WHERE id = 1"), true,
            "and they are NULL");
    }

    private static void testManyRows() throws SQLException {
        try (PreparedStatement statement = app.prepareStatement("INSERT INTO patient (id, nir, born) VALUES (?, ?, ?)")) {
            for (int id = 10; id < 20; id++) {
                statement.setInt(1, id);
                statement.setString(2, "batch " + id);
                statement.setObject(3, LocalDate.of(1990, 1, id));
                statement.addBatch();
            }
            equal(statement.executeBatch().length, 10, "batch");
        }
        equal(column("SELECT seal.reveal(nir) FROM patient WHERE id BETWEEN 10 AND 19 ORDER BY id"),
            IntStream.range(10, 20).mapToObj(id -> "batch " + id).collect(Collectors.toList()), "batch: every row");
        equal(one("INSERT INTO patient (id, nir, name) VALUES (?, ?, ?) ON CONFLICT (nir) DO UPDATE SET name = excluded.name"
            + " RETURNING id || ' ' || seal.reveal(name)", 99, "batch 10", "upserted"), "10 upserted", "upsert");
    }

    private static void testSearch() throws SQLException {
        equal(column("SELECT id FROM patient WHERE nir = ?", "batch 11"), List.of(11), "search: String");
        equal(column("SELECT id FROM patient WHERE born = ?", LocalDate.of(1990, 1, 12)), List.of(12), "search: LocalDate");
        equal(column("SELECT id FROM patient WHERE born = ?", Date.valueOf("1990-01-12")), List.of(12), "search: java.sql.Date");
        equal(column("SELECT id FROM patient WHERE token = ? ORDER BY id", TOKEN), List.of(1, 2, 3, 4), "search: UUID");
        equal(column("SELECT id FROM patient WHERE nir = ANY(?) ORDER BY id",
            app.createArrayOf("varchar", new String[] {"batch 11", "batch 12", "nobody"})), List.of(11, 12), "search: = ANY of a varchar[]");
        equal(column("SELECT id FROM patient WHERE nir IN (?, ?) ORDER BY id", "batch 11", "batch 12"), List.of(11, 12), "search: IN");
        equal(stateOf(app, "SELECT id FROM patient WHERE visits = ?", 7), "0A000", "search: 0A000 when not searchable");

        List<Object> found = new ArrayList<>();
        try (PreparedStatement statement = prepare(app, "SELECT id FROM patient WHERE nir = ?", "batch 11")) {
            for (int turn = 0; turn < 12; turn++) {
                try (ResultSet rows = statement.executeQuery()) {
                    found.add(rows.next() ? rows.getInt(1) : null);
                }
            }
        }
        equal(found, Collections.nCopies(12, 11), "a prepared search goes on finding after its plan became generic");

        execute("SET enable_seqscan = off");
        ok(column("EXPLAIN SELECT id FROM patient WHERE nir = ?", "batch 11").toString().contains("Index Scan using patient_nir_key"),
            "search uses the index");
    }

    private static void testEnvelopes() throws SQLException {
        String envelope;
        try (PreparedStatement statement = prepare(app, "SELECT nir FROM patient WHERE id = 11"); ResultSet row = statement.executeQuery()) {
            row.next();
            envelope = row.getString(1);
            ok(envelope.startsWith("seal1:"), "getString: the envelope");
            ok(row.getObject(1) instanceof PGobject, "getObject: a PGobject");
            equal(row.getMetaData().getColumnType(1), Types.OTHER, "of JDBC type OTHER");
            equal(((PGobject) row.getObject(1)).getValue(), envelope, "with the envelope as its value");
        }
        PGobject sealed = new PGobject();
        sealed.setType("sealed_text");
        sealed.setValue(envelope);
        for (Object value : List.of(envelope, sealed)) {
            try (PreparedStatement statement = prepare(app, "UPDATE patient SET nir = ? WHERE id = 11", value)) {
                statement.executeUpdate();
            }
            equal(one("SELECT nir FROM patient WHERE id = 11").toString(), envelope,
                "it can be written back as a " + value.getClass().getSimpleName());
        }

        try (PreparedStatement statement = app.prepareStatement("INSERT INTO patient (id, name) VALUES (?, 'three times')")) {
            statement.unwrap(PGStatement.class).setPrepareThreshold(1);
            for (int id = 30; id < 33; id++) {
                statement.setInt(1, id);
                statement.executeUpdate();
            }
        }
        equal(column("SELECT name FROM patient WHERE id BETWEEN 30 AND 32").stream().distinct().count(), 3L,
            "prepared with a literal, executed three times: three ciphertexts");
        equal(one("SELECT count(*) FROM patient WHERE name = ?", "three times"), 3L, "and three equal values");
    }

    private static void testNames() throws Exception {
        List<String> names = new ArrayList<>(Files.readAllLines(Path.of(System.getenv("CLIENTS_NAMES"))));
        names.add(0, "");       // a value, where NULL is none
        try (PreparedStatement statement = app.prepareStatement("INSERT INTO patient (id, nir, name) VALUES (?, ?, ?)")) {
            for (int i = 0; i < names.size(); i++) {
                statement.setInt(1, 1000 + i);
                statement.setString(2, names.get(i));
                statement.setString(3, names.get(i));
                statement.addBatch();
            }
            statement.executeBatch();
        }
        equal(column("SELECT seal.reveal(name) FROM patient WHERE id >= 1000 ORDER BY id"), names,
            names.size() + " names of all scripts are written and read");
        equal(column("SELECT id FROM patient WHERE nir = ANY(?) ORDER BY id", app.createArrayOf("text", names.toArray())),
            IntStream.range(1000, 1000 + names.size()).boxed().collect(Collectors.toList()), "and found");
    }

    private static void testCopy() throws Exception {
        CopyManager copy = app.unwrap(PGConnection.class).getCopyAPI();
        copy.copyIn("COPY patient (id, nir) FROM STDIN", new StringReader("40\tcopié\n"));
        equal(one("SELECT seal.reveal(nir) FROM patient WHERE id = 40"), "copié", "COPY in: plain values are sealed");

        List<Object> before = column("SELECT to_jsonb(patient)::text FROM patient ORDER BY id");
        StringWriter rows = new StringWriter();
        copy.copyOut("COPY patient TO STDOUT", rows);
        ok(!rows.toString().contains("copié"), "COPY out: no plain value");
        execute("TRUNCATE patient");
        copy.copyIn("COPY patient FROM STDIN", new StringReader(rows.toString()));
        equal(column("SELECT to_jsonb(patient)::text FROM patient ORDER BY id"), before,
            "COPY in of what COPY out gave: the same envelopes");
    }

    private static void testWithoutRight() throws SQLException {
        try (Connection intern = DriverManager.getConnection(url("user=client_intern&password=intern"))) {
            equal(stateOf(intern, "SELECT seal.reveal(nir) FROM patient"), "42501", "without a right: reveal");
            equal(stateOf(intern, "INSERT INTO patient (id, nir) VALUES (?, ?)", 50, "x"), "42501", "without a right: insert");
            equal(stateOf(intern, "SELECT id FROM patient WHERE nir = ?", "batch 11"), "42501", "without a right: search");
        }
    }

    public static void main(String[] arguments) throws Exception {
        app = DriverManager.getConnection(url("user=client_app&password=app"));
        testWrite();
        testUpdate();
        testManyRows();
        testSearch();
        testEnvelopes();
        testNames();
        testCopy();
        testWithoutRight();
        app.close();
        System.out.println("1.." + count);
        System.exit(failed > 0 ? 1 : 0);
    }
}
