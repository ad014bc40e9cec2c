using System.Globalization;
using System.Text;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>
/// An app whose policy goes to the fake tool, restored and built once, and two apps which refer to the first. The folder's
/// name has spaces and letters outside of ASCII, so that every test shows that such paths work.
/// </summary>
public sealed class AppFixture : IDisposable
{
    public const string Emitting = "emit\ndata.txt\n";
    public const string Model = "model.mixed.onnx";
    public const string Manifest = "model.mixed.precision.json";
    public const string Report = "model.mixed.report.html";
    public const string TextReport = "model.mixed.report.txt";

    private readonly PackagedApp apps = new("mixed précision test");
    private readonly Lazy<string> others;

    public AppFixture()
    {
        apps.WriteProject(
            "My App/App.csproj", properties: "<MixedPrecisionPolicy Condition=\"'$(MixedPrecisionPolicy)' == ''\">model.policy.yaml</MixedPrecisionPolicy>",
            program: "System.Console.WriteLine(1);");
        WritePolicy(Emitting);
        WriteData("first");
        apps.Succeed("build", "My App/App.csproj", "-c", "Release");
        others = new(BuildOthers);
    }

    /// <summary>The app's folder.</summary>
    public string App => apps["My App"];

    /// <summary>The folder of an app that refers to the first.</summary>
    public string Other => Path.Combine(others.Value, "Other");

    /// <summary>The folder of one more such app.</summary>
    public string Another => Path.Combine(others.Value, "Another");

    /// <summary>How often the fake tool ran since <see cref="Reset"/>.</summary>
    public int Runs => RunLines.Length;

    /// <summary>The fake tool's arguments, run by run.</summary>
    public string[] RunLines => File.Exists(RunsFile) ? File.ReadAllLines(RunsFile) : [];

    private string RunsFile => Path.Combine(App, "runs.txt");

    public string Published(string name) => Path.Combine(App, "out", name);

    public string Stage(string name) => Path.Combine(App, "obj", "Release", "net10.0", "mixed-precision", name);

    public void WritePolicy(string text) => Write("model.policy.yaml", text);

    public void WriteData(string text) => Write("data.txt", text);

    /// <summary>As if nothing had been published yet.</summary>
    public void Reset()
    {
        foreach (string folder in new[] { Path.Combine(App, "out"), Stage("") })
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
        File.Delete(RunsFile);
        WritePolicy(Emitting);
        WriteData("first");
    }

    /// <summary>Publishes without a restore, into <c>out</c>.</summary>
    internal ProcessRun Publish(params string[] more) => Dotnet(["publish", "-o", "out", .. more]);

    internal ProcessRun Dotnet(params string[] arguments) =>
        ProcessRun.Dotnet(App, [.. arguments, "-c", "Release", "--no-restore", "-nodeReuse:false"]);

    /// <summary>Runs one target.</summary>
    internal ProcessRun Target(string name, params string[] more) =>
        ProcessRun.Dotnet(App, ["msbuild", "-t:" + name, "-p:Configuration=Release", "-nodeReuse:false", .. more]);

    public void Dispose() => apps.Dispose();

    private string BuildOthers()
    {
        foreach (string name in new[] { "Other", "Another" })
        {
            apps.WriteReferringProject(name, "../My App/App.csproj");
        }

        apps.Write("Others.slnx", """<Solution><Project Path="Other/Other.csproj" /><Project Path="Another/Another.csproj" /></Solution>""");
        apps.Succeed("build", "Others.slnx", "-c", "Release", "-m:1");
        return apps.Folder;
    }

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(App, name), text, new UTF8Encoding(false));

    /// <summary>Milliseconds that a target took, from the log's performance summary; null where it did not run.</summary>
    public static int? MillisecondsOf(string log, string target)
    {
        string? line = log.Split('\n').FirstOrDefault(line => line.Contains($" ms  {target} ", StringComparison.Ordinal));
        return line is null ? null : int.Parse(line.TrimStart().Split(' ')[0], CultureInfo.InvariantCulture);
    }
}
