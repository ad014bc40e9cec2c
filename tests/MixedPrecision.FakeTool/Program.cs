// Stands in for mixed-precision in the tests of the targets. The policy's first line says what happens (emit, fail or
// crash), its second line names a data file, and a line "wait: N" lets a run take N milliseconds more. Each run appends
// its arguments to runs.txt beside the policy. With --without-sockets it runs another program instead, see there.
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using MixedPrecision.FakeTool;

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
switch (args[0])
{
    case "--without-sockets":
        return WithoutSockets.Execute(args[1..]);
    case "--open-socket":
        using (new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))
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
string model = Path.Combine(output, "model.mixed.onnx");
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
        Say(new { kind = "message", text = "1.62 times as fast" });
        File.WriteAllText(model, string.Join('\n', lines) + "\n");
        Thread.Sleep(lines.Where(line => line.StartsWith("wait: ", StringComparison.Ordinal)).Sum(line => int.Parse(line[6..], CultureInfo.InvariantCulture)));
        File.AppendAllText(model, File.ReadAllText(data));
        File.WriteAllText(Path.Combine(output, "model.mixed.precision.json"), "{}");
        File.WriteAllText(Path.Combine(output, "model.mixed.report.html"), "<!doctype html>");
        File.WriteAllLines(arguments[Array.IndexOf(arguments, "--inputs-file") + 1], [policy, data]);
        return 0;
}

static void Say(object line) => Console.WriteLine(JsonSerializer.Serialize(line));
