using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Execution;

/// <summary>The app's own ONNX Runtime, which what is measured has to run in, since it is what ships. The process binds to one native library once, before its first use.</summary>
/// <param name="File">Full path of the native library.</param>
/// <param name="Version">Version of the package that it is from.</param>
public sealed record AppRuntime(string File, string Version)
{
    /// <summary>What the bindings call the native library.</summary>
    private const string LibraryName = "onnxruntime";

    /// <summary>Version of the bindings, whose own native library has the same.</summary>
    private static readonly string Own = FileVersionInfo.GetVersionInfo(typeof(OrtEnv).Assembly.Location).ProductVersion!.Split('+')[0];

    /// <summary>
    /// The version of the C API that the bindings ask for: the minor version of their release. They copy its table of functions, which of an older library is shorter.
    /// </summary>
    private static readonly uint Api = uint.Parse(Own.Split('.')[1], CultureInfo.InvariantCulture);

    /// <summary>Lets the process run this library in place of the tool's own. To be called once, before anything of ONNX Runtime.</summary>
    /// <returns>A warning, where the library cannot be run and the tool's own stays.</returns>
    public Diagnostic? Bind()
    {
        if (!System.IO.File.Exists(File))
        {
            return Refused(Version, "its package has no library for this system");
        }

        if (!NativeLibrary.TryLoad(File, out IntPtr library))
        {
            return Refused(Version, "the system does not load its library");
        }

        if (!NativeLibrary.TryGetExport(library, "OrtGetApiBase", out IntPtr getBase))
        {
            return Refused(Version, "its library is none of ONNX Runtime");
        }

        (string version, bool isNewEnough) = Ask(getBase);
        if (!isNewEnough)
        {
            return Refused(version, "it is older than the tool");
        }

        // The bindings have a resolver of their own otherwise, and an assembly has only one.
        OrtEnv.DisableDllImportResolver = true;
        NativeLibrary.SetDllImportResolver(typeof(OrtEnv).Assembly, (name, _, _) => name == LibraryName ? library : IntPtr.Zero);
        return null;
    }

    /// <summary>The library's version, and whether it has the C API that the bindings ask for.</summary>
    private static unsafe (string Version, bool IsNewEnough) Ask(IntPtr getBase)
    {
        // OrtApiBase: two functions, GetApi(version) and GetVersionString().
        IntPtr* api = ((delegate* unmanaged<IntPtr*>)getBase)();
        string version = Marshal.PtrToStringUTF8(((delegate* unmanaged<IntPtr>)api[1])()) ?? "";
        int minor = version.Split('.') is [_, var text, ..] && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : 0;
        // An older library answers a request that is too new with null and a line on standard error, hence not at all.
        return (version, minor >= Api && ((delegate* unmanaged<uint, IntPtr>)api[0])(Api) != IntPtr.Zero);
    }

    private Diagnostic Refused(string version, string reason) => Errors.OtherRuntime(File, version, reason, Own, string.Join('.', Own.Split('.')[..2]));
}
