/*
 * EclipseLink: an entity for the table, which writes and searches, and one for the
 * view, which is read in native types.
 */
import java.math.BigDecimal;
import java.sql.Date;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import javax.persistence.Column;
import javax.persistence.Entity;
import javax.persistence.EntityManager;
import javax.persistence.EntityManagerFactory;
import javax.persistence.Id;
import javax.persistence.Persistence;
import javax.persistence.Query;
import javax.persistence.Table;
import org.eclipse.persistence.Version;

public class with_eclipselink {
    private static EntityManagerFactory app;

    @Entity(name = "Patient")
    @Table(name = "patient")
    public static class Patient {
        @Id
        Integer id;
        @Column(unique = true, columnDefinition = "sealed_text(nir) UNIQUE")
        String nir;
        @Column(columnDefinition = "sealed_text(identity)")
        String name;
        @Column(columnDefinition = "sealed_date(identity)")
        Date born;
        @Column(columnDefinition = "sealed_timestamptz(clinical)")
        Timestamp seen;
        @Column(columnDefinition = "sealed_numeric(clinical)")
        BigDecimal dose;
        @Column(columnDefinition = "sealed_text(clinical)")
        String note;
    }

    @Entity(name = "Revealed")
    @Table(name = "patient_revealed")
    public static class Revealed {
        @Id
        Integer id;
        String nir;
        String name;
        Date born;
        Timestamp seen;
        BigDecimal dose;
        String note;
    }

    private static Map<String, Object> properties(String user, String password) {
        return Map.of(
            "javax.persistence.jdbc.driver", "org.postgresql.Driver",
            "javax.persistence.jdbc.url", "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE"),
            "javax.persistence.jdbc.user", user,
            "javax.persistence.jdbc.password", password,
            "javax.persistence.schema-generation.database.action", "none",
            "eclipselink.target-database", "PostgreSQL",
            "eclipselink.cache.shared.default", "false",
            "eclipselink.weaving", "false",
            "eclipselink.logging.level", "OFF");
    }

    private static EntityManagerFactory connect(String user, String password) {
        return Persistence.createEntityManagerFactory("clients", properties(user, password));
    }

    private static Patient patient(int id, String nir, String name) {
        Patient patient = new Patient();
        patient.id = id;
        patient.nir = nir;
        patient.name = name;
        return patient;
    }

    private static Patient patient(Steps.Row row) {
        Patient patient = patient(row.id(), row.nir(), row.name());
        patient.born = Date.valueOf(row.born());
        patient.seen = Timestamp.from(row.seen());
        patient.dose = row.dose();
        patient.note = row.note();
        return patient;
    }

    private static void inTransaction(EntityManagerFactory factory, Consumer<EntityManager> work) {
        EntityManager manager = factory.createEntityManager();
        try {
            manager.getTransaction().begin();
            work.accept(manager);
            manager.getTransaction().commit();
        } finally {
            if (manager.getTransaction().isActive()) {
                manager.getTransaction().rollback();
            }
            manager.close();
        }
    }

    private static void inTransaction(Consumer<EntityManager> work) {
        inTransaction(app, work);
    }

    private static List<?> list(Query query, Object... parameters) {
        for (int i = 0; i < parameters.length; i++) {
            query.setParameter(i + 1, parameters[i]);
        }
        return query.getResultList();
    }

    private static List<?> query(String jpql, Object... parameters) {
        EntityManager manager = app.createEntityManager();
        try {
            return list(manager.createQuery(jpql), parameters);
        } finally {
            manager.close();
        }
    }

    private static Object create() {
        Map<String, Object> creating = new HashMap<>(properties("client_app", "app"));
        creating.put("javax.persistence.schema-generation.database.action", "create");
        Persistence.generateSchema("table", creating);
        inTransaction(manager -> Steps.VIEW.forEach(statement -> manager.createNativeQuery(statement).executeUpdate()));
        return query("SELECT p.id FROM Revealed p");
    }

    private static Object look() {
        EntityManager manager = app.createEntityManager();
        try {
            Object value = manager.createNativeQuery("SELECT seal.seal('x', 'nir')").getSingleResult();
            return Map.of("native query of the column", value.getClass().getSimpleName());
        } finally {
            manager.close();
        }
    }

    private static Object insert() {
        inTransaction(manager -> Steps.PATIENTS.forEach(row -> manager.persist(patient(row))));
        return query("SELECT p.id, p.nir, p.name, p.born, p.seen, p.dose, p.note FROM Revealed p WHERE p.id = 1").get(0);
    }

    private static Object insertNull() {
        inTransaction(manager -> manager.persist(patient(5, "555", null)));
        return query("SELECT p.name, p.born, p.seen, p.dose, p.note FROM Revealed p WHERE p.id = 5").get(0);
    }

    private static Object update() {
        inTransaction(manager -> manager.createQuery("UPDATE Patient p SET p.born = ?1, p.dose = ?2, p.note = ?3 WHERE p.id = 2")
            .setParameter(1, Date.valueOf(Steps.BORN)).setParameter(2, Steps.DOSE).setParameter(3, "négatif").executeUpdate());
        return query("SELECT p.born, p.dose, p.note FROM Revealed p WHERE p.id = 2").get(0);
    }

    private static void upsert(EntityManager manager, int id, String nir, String name) {
        manager.createNativeQuery("INSERT INTO patient (id, nir, name) VALUES (?1, ?2, ?3)"
            + " ON CONFLICT (nir) DO UPDATE SET name = excluded.name")
            .setParameter(1, id).setParameter(2, nir).setParameter(3, name).executeUpdate();
    }

    private static Object upsertBoth() {
        inTransaction(manager -> {
            upsert(manager, 33, Steps.PATIENTS.get(2).nir(), "Noël");
            upsert(manager, 6, "666", "Nadia");
        });
        return query("SELECT p.id, p.name FROM Revealed p WHERE p.id IN (3, 6) ORDER BY p.id");
    }

    private static Object page() {
        EntityManager manager = app.createEntityManager();
        try {
            return manager.createQuery("SELECT p.id FROM Revealed p ORDER BY p.name").setFirstResult(2).setMaxResults(2).getResultList();
        } finally {
            manager.close();
        }
    }

    private static Object nativeQuery() {
        EntityManager manager = app.createEntityManager();
        try {
            return list(manager.createNativeQuery("SELECT id, name, dose FROM patient_revealed WHERE nir = ?1 AND born > ?2"),
                Steps.PATIENTS.get(1).nir(), Date.valueOf(Steps.NEW_YEAR_1990));
        } finally {
            manager.close();
        }
    }

    private static Object names() {
        inTransaction(manager -> {
            for (int i = 0; i < Steps.NAMES.size(); i++) {
                manager.persist(patient(10 + i, String.valueOf(10 + i), Steps.NAMES.get(i)));
            }
        });
        List<Object> found = new ArrayList<>();
        for (String name : Steps.NAMES) {
            found.addAll(query("SELECT p.name FROM Revealed p WHERE p.name = ?1 AND p.id >= 10", name));
        }
        return found;
    }

    private static Object refused() {
        EntityManagerFactory intern = connect("client_intern", "intern");
        List<String> states = List.of(
            Steps.stateOf(() -> intern.createEntityManager()
                .createNativeQuery("SELECT seal.reveal(nir) FROM patient WHERE id = 1").getResultList()),
            Steps.stateOf(() -> {
                inTransaction(intern, manager -> manager.persist(patient(99, "x", null)));
                return null;
            }));
        intern.close();
        return states;
    }

    private static Object viewInsert() {
        Revealed row = new Revealed();
        row.id = Steps.VIEW_ROW.id();
        row.nir = Steps.VIEW_ROW.nir();
        row.name = Steps.VIEW_ROW.name();
        row.born = Date.valueOf(Steps.VIEW_ROW.born());
        row.note = Steps.VIEW_ROW.note();
        inTransaction(manager -> manager.persist(row));
        return query("SELECT p.id, p.name, p.born, p.note FROM Revealed p WHERE p.id = 7").get(0);
    }

    private static Object viewUpdate() {
        inTransaction(manager -> manager.find(Revealed.class, 7).note = "relu");
        return query("SELECT p.note FROM Revealed p WHERE p.id = 7");
    }

    public static void main(String[] arguments) {
        String nir = Steps.PATIENTS.get(0).nir();
        app = connect("client_app", "app");
        Steps.step("create", "generateSchema() of an entity with columnDefinition", with_eclipselink::create);
        Steps.step("type", "what a native query gets", with_eclipselink::look);
        Steps.step("insert", "persist() of the entity of the table", with_eclipselink::insert);
        Steps.step("null", "properties that are null", with_eclipselink::insertNull);
        Steps.step("update", "JPQL UPDATE of the entity of the table", with_eclipselink::update);
        Steps.step("upsert", "a native query, ON CONFLICT (nir) DO UPDATE", with_eclipselink::upsertBoth);
        Steps.step("equality", "JPQL, the entity of the view", () -> query("SELECT p.id FROM Revealed p WHERE p.nir = ?1", nir));
        Steps.step("equality", "JPQL, the entity of the table", () -> query("SELECT p.id FROM Patient p WHERE p.nir = ?1", nir));
        Steps.step("like", "JPQL LIKE", () -> query("SELECT p.id FROM Revealed p WHERE p.name LIKE ?1 ORDER BY p.id", "N%"));
        Steps.step("range", "JPQL, two java.sql.Dates", () -> query(
            "SELECT p.id FROM Revealed p WHERE p.born >= ?1 AND p.born < ?2 ORDER BY p.id",
            Date.valueOf(Steps.NEW_YEAR_1990), Date.valueOf(Steps.NEW_YEAR_1991)));
        Steps.step("page", "setFirstResult(), setMaxResults()", with_eclipselink::page);
        Steps.step("native", "createNativeQuery() on the view", with_eclipselink::nativeQuery);
        Steps.step("names", "persist(), one query each", with_eclipselink::names);
        Steps.step("refused", "SQLException.getSQLState() of the cause", with_eclipselink::refused);
        Steps.step("view_insert", "persist() of the entity of the view", with_eclipselink::viewInsert);
        Steps.step("view_update", "find() of the entity of the view, a property", with_eclipselink::viewUpdate);
        Steps.run("EclipseLink " + Version.getVersion() + ", Java " + Runtime.version().feature());
        app.close();
    }
}
