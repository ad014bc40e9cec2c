// Stands in for mixed-precision in the tests of the targets. The policy's first line says what happens (emit, fail or
// crash), its second line names a data file, and a line "wait: N" lets a run take N milliseconds more. Each run appends
// its arguments to runs.txt beside the policy. "output: NAME" names the emitted model, "original: PATH" the model that it
// came from, and with "two" there are two. With --without-sockets or --without-network it runs another program instead,
// see there.
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using MixedPrecision.FakeTool;

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
switch (args[0])
{
    case "--without-sockets":
        return WithoutSockets.Execute(args[1..], isNetworkAlone: false);
    case "--without-network":
        return WithoutSockets.Execute(args[1..], isNetworkAlone: true);
    case "--open-socket":
        using (args.Contains("unix") ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) : new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))
        {
            return 0;
        }
}
string[] arguments = [.. File.ReadLines(args[0][1..]).Select(line => line[1..^1])];
string policy = arguments[1];
string folder = Path.GetDirectoryName(policy)!;
string output = arguments[Array.IndexOf(arguments, "--output") + 1];
File.AppendAllText(Path.Combine(folder, "runs.txt"), string.Join('|', arguments) + "\n");

string[] lines = File.ReadAllLines(policy);
string name = Option("output") ?? "model.mixed.onnx";
string model = Path.Combine(output, name);
switch (lines[0])
{
    case "fail":
        File.WriteAllText(model, "half");
        Say(new { kind = "error", code = "MPB1005", file = policy, line = 3, column = 7, text = "unknown key 'é {0}'", helpLink = "errors.md#x" });
        return 1;
    case "crash":
        File.WriteAllText(model, "half");
        throw new InvalidOperationException("out of sorts");
    default:
        string data = Path.Combine(folder, lines[1]);
        if (!File.Exists(data))
        {
            Say(new { kind = "error", code = "MPB3001", file = data, text = "no data" });
            return 1;
        }
        Say(new { kind = "progress", text = "calibrate: halfway" });
        Say(new { kind = "warning", code = "MPB7001", file = policy, line = 2, column = 1, text = "a warning" });
        Say(new { kind = "message", text = "calibrate: done in 0.1 s" });
        File.WriteAllText(model, string.Join('\n', lines) + "\n");
        Thread.Sleep(lines.Where(line => line.StartsWith("wait: ", StringComparison.Ordinal)).Sum(line => int.Parse(line[6..], CultureInfo.InvariantCulture)));
        File.AppendAllText(model, File.ReadAllText(data));
        File.WriteAllText(Path.ChangeExtension(model, ".precision.json"), "{}");
        File.WriteAllText(Path.ChangeExtension(model, ".report.html"), "<!doctype html>");
        File.WriteAllText(Path.ChangeExtension(model, ".report.txt"), "as text");
        string original = Path.GetFullPath(Option("original") ?? "model.onnx", folder), originals = $"{original}\n{original}.data";
        foreach (string emitted in lines.Contains("two") ? [name, "second." + name] : new[] { name })
        {
            File.WriteAllText(Path.Combine(output, emitted), File.ReadAllText(model));
            Say(new { kind = "result", text = $"{emitted[..^5]}: 1.62× faster, 13.6 → 8.35 MB", output = emitted, originals });
        }
        File.WriteAllLines(arguments[Array.IndexOf(arguments, "--inputs-file") + 1], [policy, data]);
        return 0;
}

string? Option(string key) => lines.FirstOrDefault(line => line.StartsWith(key + ": ", StringComparison.Ordinal))?[(key.Length + 2)..];

static void Say(object line) => Console.WriteLine(JsonSerializer.Serialize(line));
