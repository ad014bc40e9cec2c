using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MixedPrecision.Execution;

/// <summary>
/// ONNX Runtime's own telemetry, which from 1.31 on looks up names, sends events and keeps a device's identifier and a database below the user's
/// cache folder. Off in every process of the engine: the runtime reads the variable once, when its environment is made, so it is set before
/// anything of this assembly can make one.
/// </summary>
internal static partial class RuntimeTelemetry
{
    private const string Variable = "ORT_DISABLE_TELEMETRY";

#pragma warning disable CA2255 // Meant for apps; this assembly is only part of the tool, and no call could be forgotten this way.
    [ModuleInitializer]
    internal static void SwitchOff()
#pragma warning restore CA2255
    {
        // For processes that this one starts, and on Windows for this one.
        Environment.SetEnvironmentVariable(Variable, "1");
        if (!OperatingSystem.IsWindows() && SetEnvironment(Variable, "1", overwrite: 1) != 0)
        {
            // .NET keeps a copy of the environment, which native code does not see.
            throw new InvalidOperationException($"{Variable} cannot be set: error {Marshal.GetLastPInvokeError()}");
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
