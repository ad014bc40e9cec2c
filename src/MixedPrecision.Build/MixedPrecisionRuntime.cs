using System;
using System.IO;
using System.Linq;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace MixedPrecision.Build;

/// <summary>Finds the native library of the ONNX Runtime that the app references, for the host that builds: the tool then measures in what ships. An app without one gets nothing.</summary>
[MSBuildMultiThreadableTask]
public class MixedPrecisionRuntime : Task
{
    private static readonly string[] Names = ["libonnxruntime.so", "libonnxruntime.dylib", "onnxruntime.dll"];

    /// <summary>The native files that NuGet resolved for the app, for whatever it is published for.</summary>
    public ITaskItem[] Natives { get; set; } = [];

    /// <summary>What the SDK runs on, as .NET names it, e.g. linux-x64.</summary>
    public string Host { get; set; } = "";

    /// <summary>Full path of the library, which need not be there.</summary>
    [Output]
    public string Library { get; private set; } = "";

    /// <summary>Version of its package.</summary>
    [Output]
    public string Version { get; private set; } = "";

    /// <inheritdoc/>
    public override bool Execute()
    {
        // Of any system: the package has those of the others beside it.
        if (Natives.FirstOrDefault(item => Names.Contains(Path.GetFileName(item.ItemSpec))) is not { } native || Root(native) is not { } root)
        {
            return true;
        }

        string name = Names[Host.StartsWith("win", StringComparison.Ordinal) ? 2 : Host.StartsWith("osx", StringComparison.Ordinal) ? 1 : 0];
        Library = Path.Combine(root, "runtimes", Host, "native", name);
        Version = native.GetMetadata("NuGetPackageVersion");
        return true;
    }

    /// <summary>The package's folder: what lies above the path within it.</summary>
    private static string? Root(ITaskItem native)
    {
        string path = native.GetMetadata("FullPath").Replace('\\', '/'), inPackage = "/" + native.GetMetadata("PathInPackage").Replace('\\', '/');
        return inPackage.Length > 1 && path.EndsWith(inPackage, StringComparison.OrdinalIgnoreCase) ? path.Substring(0, path.Length - inPackage.Length) : null;
    }
}
