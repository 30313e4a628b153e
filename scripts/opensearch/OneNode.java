import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.opensearch.Version;
import org.opensearch.analysis.common.CommonAnalysisModulePlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.http.HttpServerTransport;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.PluginInfo;
import org.opensearch.transport.Netty4ModulePlugin;

/**
 * OpenSearch for developing and testing: OneNode FOLDER PORT [tied [BUS BUS,BUS,BUS]]. Port 0 is one that the system gives.
 * Once it answers, its address is in FOLDER/address. Tied, it ends when whoever started it does, and our standard input with
 * them. With a port of its own for the others, and the ports of all, it is a node of a cluster.
 */
public final class OneNode extends Node {
    private OneNode(Settings settings, List<PluginInfo> plugins) {
        super(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "0"), plugins, false);
    }

    private static PluginInfo plugin(Class<?> itself) {
        String name = itself.getName();
        return new PluginInfo(name, name, "0", Version.CURRENT, "21", name, null, List.of(), false);
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]).toAbsolutePath();
        Files.createDirectories(folder.resolve("config"));
        String bus = arguments.length > 3 ? arguments[3] : "0";
        Settings.Builder place = Settings.builder();
        if (arguments.length > 4) {
            List<String> all = List.of(arguments[4].split(","));
            place.putList("discovery.seed_hosts", all.stream().map(port -> "127.0.0.1:" + port).toList())
                .putList("cluster.initial_cluster_manager_nodes", all)
                .put("cluster.fault_detection.follower_check.interval", "500ms")
                .put("cluster.fault_detection.follower_check.timeout", "2s")
                .put("cluster.fault_detection.leader_check.interval", "500ms")
                .put("cluster.fault_detection.leader_check.timeout", "2s");
        } else {
            place.put("discovery.type", "single-node");
        }
        Settings settings = place
            .put("path.home", folder.toString())
            .put("cluster.name", "mercat")
            .put("node.name", bus)
            .put("network.host", "127.0.0.1")
            .put("http.port", arguments[1])
            .put("http.type", "netty4")
            .put("transport.port", bus)
            .put("transport.type", "netty4")
            .put("action.auto_create_index", false)
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        List<PluginInfo> plugins = Stream.of(Netty4ModulePlugin.class, CommonAnalysisModulePlugin.class)
            .map(OneNode::plugin).toList();
        OneNode node = new OneNode(settings, plugins);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (java.io.IOException error) {
                error.printStackTrace();
            }
        }));
        node.start();
        HttpServerTransport http = node.injector().getInstance(HttpServerTransport.class);
        String address = "http://127.0.0.1:" + http.boundAddress().publishAddress().getPort();
        Path written = Files.writeString(folder.resolve("address.new"), address);
        Files.move(written, folder.resolve("address"), StandardCopyOption.ATOMIC_MOVE);
        System.out.println(address);
        if (arguments.length < 3) {
            Thread.currentThread().join();
        }
        while (System.in.read() >= 0) { }
        System.exit(0);
    }
}
