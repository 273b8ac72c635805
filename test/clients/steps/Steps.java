/* What the Java clients share: the rows they write, and how they give their answers. */
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

final class Steps {
    interface Run {
        Object answer() throws Exception;
    }

    private record Step(String name, String how, Run run) {
    }

    record Row(int id, String nir, String name, LocalDate born, Instant seen, BigDecimal dose, String note) {
    }

    static final Path FOLDER = Path.of("test/clients/steps");
    static final List<Row> PATIENTS = lines("patients.tsv").skip(1).map(Steps::row).toList();
    static final List<String> NAMES = lines("../names.txt").toList();
    static final String TABLE = lines("table.sql").collect(Collectors.joining("\n"));
    static final List<String> VIEW = lines("view.sql").toList();

    /* What the steps write; steps.tsv says where. */
    static final LocalDate BORN = LocalDate.of(1990, 1, 16);
    static final BigDecimal DOSE = new BigDecimal("12.50");
    static final LocalDate NEW_YEAR_1990 = LocalDate.of(1990, 1, 1);
    static final LocalDate NEW_YEAR_1991 = LocalDate.of(1991, 1, 1);
    static final Row VIEW_ROW = new Row(7, "777", "Vue", LocalDate.of(2001, 2, 3), null, null, "à relire");

    private static final List<String> ORDER = lines("steps.tsv").map(line -> line.split("\t")[0]).toList();
    private static final List<Step> steps = new ArrayList<>();
    private static final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    private Steps() {
    }

    private static Stream<String> lines(String file) {
        try {
            return Files.readAllLines(FOLDER.resolve(file)).stream();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static Row row(String line) {
        String[] fields = line.split("\t");
        return new Row(Integer.parseInt(fields[0]), fields[1], fields[2], LocalDate.parse(fields[3]), Instant.parse(fields[4]),
            new BigDecimal(fields[5]), fields[6]);
    }

    /** A client's step, or one more way to do it.  Steps run in the order of steps.tsv. */
    static void step(String name, String how, Run run) {
        steps.add(new Step(name, how, run));
    }

    static void run(String client) {
        out.println("client\t" + client);
        steps.sort(Comparator.comparing(step -> ORDER.indexOf(step.name())));
        for (Step step : steps) {
            out.println(step.name() + "\t" + step.how() + "\t" + json(answer(step)));
        }
    }

    private static Object answer(Step step) {
        try {
            return step.run().answer();
        } catch (Exception | LinkageError error) {
            return error + (error.getCause() == null ? "" : " because of " + error.getCause());
        }
    }

    /** The SQLSTATE of what must fail, however deep the mapper has packed it. */
    static String stateOf(Run run) {
        try {
            run.answer();
            return null;
        } catch (Exception error) {
            Throwable cause = error;
            while (cause != null && !(cause instanceof SQLException)) {
                cause = cause.getCause();
            }
            return cause == null ? error.toString() : ((SQLException) cause).getSQLState();
        }
    }

    /** The version that the class path names a jar with. */
    static String jarVersion(String jar) {
        return System.getProperty("java.class.path").replaceAll("^.*/" + jar + "-(.*?)[.]jar.*$", "$1");
    }

    /** As steps.tsv has values: numbers that are no integers, and dates, are strings. */
    static String json(Object value) {
        if (value == null || value instanceof Integer || value instanceof Boolean) {
            return String.valueOf(value);
        }
        if (value instanceof Object[] array) {
            return json(Arrays.asList(array));
        }
        if (value instanceof Collection<?> list) {
            return list.stream().map(Steps::json).collect(Collectors.joining(", ", "[", "]"));
        }
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream().map(entry -> json(entry.getKey()) + ": " + json(entry.getValue()))
                .collect(Collectors.joining(", ", "{", "}"));
        }
        return quoted(value instanceof Timestamp time ? time.toInstant().toString() : value.toString());
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\p{Cntrl}+", " ") + '"';
    }
}
